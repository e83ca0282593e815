/**
 * Products with weights in 16-bit floats (IEEE 754 binary16), widened on the way: the same bits as f32 weights of the same values give (`tile`,
 * `gemv`). The packed order of weights is that of src/format/quantized/pack.ts: panels of 32 columns, rows of a panel one after the other.
 */
import { gemm, gemmScratch } from './gemm'
import { madd, splat, storePart } from './simd'

/** Columns of a panel. */
const PANEL: i32 = 32
/** Bytes of a panel's row. */
const ROW_BYTES: usize = 64
/** Up to here each row reads the weights as they are; above, they are widened into scratch memory first. */
const FEW_ROWS: i32 = 3
/** Columns widened at once. */
const WIDENED: i32 = 128

/**
 * Four halves (sign-extended) as f32, exactly: exponent and fraction moved to their places are the number times 2^-112, subnormals included. Infinities and
 * NaNs become finite; files with such weights are refused.
 */
@inline
export function widen(halves: v128): v128 {
  const moved = i32x4.shl(halves, 13)
  return f32x4.mul(v128.and(moved, i32x4.splat(0x8fffe000)), splat(5192296858534827628530496329220096.0))
}

/** One row of x times a panel of 32 columns: 32 chains in ascending order. */
function rowPanel(out: usize, x: usize, w: usize, inner: i32, bias: usize, columns: i32): void {
  let a0 = splat(0.0)
  let a1 = splat(0.0)
  let a2 = splat(0.0)
  let a3 = splat(0.0)
  let a4 = splat(0.0)
  let a5 = splat(0.0)
  let a6 = splat(0.0)
  let a7 = splat(0.0)
  for (; inner > 0; inner--) {
    const s = v128.load32_splat(x)
    a0 = madd(s, widen(v128.load_ext<i16>(w)), a0)
    a1 = madd(s, widen(v128.load_ext<i16>(w, 8)), a1)
    a2 = madd(s, widen(v128.load_ext<i16>(w, 16)), a2)
    a3 = madd(s, widen(v128.load_ext<i16>(w, 24)), a3)
    a4 = madd(s, widen(v128.load_ext<i16>(w, 32)), a4)
    a5 = madd(s, widen(v128.load_ext<i16>(w, 40)), a5)
    a6 = madd(s, widen(v128.load_ext<i16>(w, 48)), a6)
    a7 = madd(s, widen(v128.load_ext<i16>(w, 56)), a7)
    x += 4
    w += ROW_BYTES
  }
  store4(out, a0, bias, 0, columns)
  store4(out, a1, bias, 16, columns - 4)
  store4(out, a2, bias, 32, columns - 8)
  store4(out, a3, bias, 48, columns - 12)
  store4(out, a4, bias, 64, columns - 16)
  store4(out, a5, bias, 80, columns - 20)
  store4(out, a6, bias, 96, columns - 24)
  store4(out, a7, bias, 112, columns - 28)
}

@inline
function store4(out: usize, sum: v128, bias: usize, at: usize, columns: i32): void {
  if (columns <= 0) return
  if (bias != 0) sum = f32x4.add(sum, v128.load(bias + at))
  storePart(out + at, sum, columns)
}

/** Packed weights -> panels of 8 columns (columns / 8, inner, 8), as `gemm` reads them. */
function widenPanels(y: usize, w: usize, inner: i32, columns: i32): void {
  const panel = <usize>inner << 5
  for (let j = 0; j < columns; j += PANEL) {
    let to = y
    for (let k = 0; k < inner; k++) {
      let at = to
      for (let i: usize = 0; i < ROW_BYTES; i += 16) {
        v128.store(at, widen(v128.load_ext<i16>(w + i)))
        v128.store(at, widen(v128.load_ext<i16>(w + i, 8)), 16)
        at += panel
      }
      to += 32
      w += ROW_BYTES
    }
    y += 4 * panel
  }
}

/** Bytes of scratch memory `halvesProduct` needs. */
export function halvesScratch(rows: i32, inner: i32): f64 {
  return rows <= FEW_ROWS ? 0 : gemmScratch(rows, inner) + 4.0 * <f64>inner * <f64>WIDENED
}

/** out (rows, columns), rows outRow apart, = x (rows, inner) times packed weights plus bias (0: none). */
export function halvesProduct(
  out: usize, outRow: i32, x: usize, w: usize, bias: usize, rows: i32, inner: i32, columns: i32, scratch: usize,
): void {
  const panelBytes = <usize>inner * ROW_BYTES
  if (rows <= FEW_ROWS) {
    for (let j = 0; j < columns; j += PANEL) {
      const at = <usize>j << 2
      for (let i = 0; i < rows; i++) {
        const row = out + (<usize>(i * outRow) << 2) + at
        rowPanel(row, x + (<usize>(i * inner) << 2), w, inner, bias != 0 ? bias + at : 0, columns - j)
      }
      w += panelBytes
    }
    return
  }
  const y = scratch + <usize>gemmScratch(rows, inner)
  for (let j = 0; j < columns; j += WIDENED) {
    const width = min(WIDENED, columns - j)
    const at = <usize>j << 2
    widenPanels(y, w, inner, width)
    gemm(out + at, outRow, x, inner, 1, y, 8, 0, bias != 0 ? bias + at : 0, rows, inner, width, scratch)
    w += panelBytes * (WIDENED / PANEL)
  }
}

/** out[i, :] = the weights of column ids[i], widened. */
export function halvesGather(out: usize, w: usize, ids: usize, count: i32, inner: i32): void {
  for (; count > 0; count--, ids += 4) {
    const id = load<u32>(ids)
    let from = w + <usize>(id / PANEL) * <usize>inner * ROW_BYTES + ((<usize>id & (PANEL - 1)) << 1)
    for (let k = 0; k < inner; k++) {
      f32.store(out, widen1(load<u16>(from)))
      from += ROW_BYTES
      out += 4
    }
  }
}

@inline
export function widen1(half: u32): f32 {
  const moved = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13)
  return reinterpret<f32>(moved) * 5192296858534827628530496329220096.0
}
