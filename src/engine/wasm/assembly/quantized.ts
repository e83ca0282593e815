/**
 * Products with weights in blocks of 8 bits (llama.cpp's Q8_0): 32 whole numbers along the inner axis and their scale. Rows of x are brought into
 * the same form first, so that the product of two blocks is a sum of whole numbers, exact in any order. Invariance (laws L1, L4): an output
 * is one chain over blocks in ascending order, whatever its row's neighbours are.
 *
 * Packed weights, as src/format/quantized/pack.ts writes them: panels of 16 columns; a block of a panel is 16 scales (f16), then 8 quads, four
 * numbers of each column. A column's number of a quad lie in two lanes of 16 bits, v = 256 odd + (even + 128), which saves widening them:
 * odd x₁ + even x₀ = v x₀ + odd (x₁ - 256 x₀) - 128 x₀. So a row holds x₀ and x₁ - 256 x₀ (16 bits suffice) and the sum of all -128 x₀.
 *
 * The relaxed dot product of bytes is not used: its second operand has seven bits, so a row would be multiplied twice, by its positive and by its
 * negative numbers. 64 weights took 3.0 ns so instead of 1.35 in V8 11.3, where it is three instructions, and 1.04 instead of 1.04 to 1.3 in
 * V8 15.6, where it is one.
 */
import { widen } from './halves'
import { BLOCK_BYTES, PANEL, QUAD, ROW_BYTES, SCALE_BYTES, SCALES } from './quantizedLayout'
import { madd, splat, storePart } from './simd'

/** Rows that use weights while they are in registers. */
const ROWS: i32 = 3
/** Bytes of rows that stay in the second-level cache while all weights pass. */
const CACHED: i32 = 1 << 18

/** A quad of four columns times a row's. */
@inline
function quad(sum: v128, v: v128, low: v128, high: v128): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(v, low))
  return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.shr_s(v, 8), high))
}

/** sum + scale · scales of four columns · whole numbers (exact as f32, below 2^24). */
@inline
function scaled(sum: v128, scale: v128, scales: v128, product: v128): v128 {
  return madd(f32x4.mul(scale, widen(scales)), f32x4.convert_i32x4_s(product), sum)
}

@inline
function store4(out: usize, sum: v128, bias: usize, columns: i32): void {
  if (columns <= 0) return
  if (bias != 0) sum = f32x4.add(sum, v128.load(bias))
  storePart(out, sum, columns)
}

@inline
function shifted(bias: usize, bytes: usize): usize {
  return bias != 0 ? bias + bytes : 0
}

/** One row times a panel of 16 columns. One quad a loop: V8 would load all of an unrolled loop first and spill. */
function rowPanel(out: usize, x: usize, scales: usize, w: usize, blocks: i32, bias: usize, columns: i32): void {
  let a = splat(0.0)
  let b = splat(0.0)
  let c = splat(0.0)
  let d = splat(0.0)
  for (; blocks > 0; blocks--) {
    let i = v128.load32_splat(scales, 4)
    let j = i
    let k = i
    let l = i
    const end = w + BLOCK_BYTES
    for (let at = w + SCALES; at < end; at += QUAD) {
      const low = v128.load32_splat(x)
      const high = v128.load32_splat(x, 4)
      i = quad(i, v128.load(at), low, high)
      j = quad(j, v128.load(at, 16), low, high)
      k = quad(k, v128.load(at, 32), low, high)
      l = quad(l, v128.load(at, 48), low, high)
      x += 8
    }
    const scale = v128.load32_splat(scales)
    a = scaled(a, scale, v128.load_ext<i16>(w), i)
    b = scaled(b, scale, v128.load_ext<i16>(w, 8), j)
    c = scaled(c, scale, v128.load_ext<i16>(w, 16), k)
    d = scaled(d, scale, v128.load_ext<i16>(w, 24), l)
    w = end
    scales += SCALE_BYTES
  }
  store4(out, a, bias, columns)
  store4(out + 16, b, shifted(bias, 16), columns - 4)
  store4(out + 32, c, shifted(bias, 32), columns - 8)
  store4(out + 48, d, shifted(bias, 48), columns - 12)
}

/** Three rows times half a panel: weights are loaded once for all. Missing rows repeat the last one. `half`: 0 or 1. */
function rowsHalf(
  out: usize, outStride: usize, x: usize, xStride: usize, scales: usize, scaleStride: usize, w: usize, half: usize,
  blocks: i32, bias: usize, columns: i32, rows: i32,
): void {
  const second = <usize>min(1, rows - 1)
  const third = <usize>min(2, rows - 1)
  let x1 = x + second * xStride
  let x2 = x + third * xStride
  const s1 = second * scaleStride
  const s2 = third * scaleStride
  let a0 = splat(0.0)
  let b0 = splat(0.0)
  let a1 = splat(0.0)
  let b1 = splat(0.0)
  let a2 = splat(0.0)
  let b2 = splat(0.0)
  for (; blocks > 0; blocks--) {
    let i0 = v128.load32_splat(scales, 4)
    let j0 = i0
    let i1 = v128.load32_splat(scales + s1, 4)
    let j1 = i1
    let i2 = v128.load32_splat(scales + s2, 4)
    let j2 = i2
    const end = w + BLOCK_BYTES
    for (let at = w + SCALES + (half << 5); at < end; at += QUAD) {
      const v = v128.load(at)
      const u = v128.load(at, 16)
      let low = v128.load32_splat(x)
      let high = v128.load32_splat(x, 4)
      i0 = quad(i0, v, low, high)
      j0 = quad(j0, u, low, high)
      low = v128.load32_splat(x1)
      high = v128.load32_splat(x1, 4)
      i1 = quad(i1, v, low, high)
      j1 = quad(j1, u, low, high)
      low = v128.load32_splat(x2)
      high = v128.load32_splat(x2, 4)
      i2 = quad(i2, v, low, high)
      j2 = quad(j2, u, low, high)
      x += 8
      x1 += 8
      x2 += 8
    }
    const first = v128.load_ext<i16>(w + (half << 4))
    const last = v128.load_ext<i16>(w + (half << 4), 8)
    let scale = v128.load32_splat(scales)
    a0 = scaled(a0, scale, first, i0)
    b0 = scaled(b0, scale, last, j0)
    scale = v128.load32_splat(scales + s1)
    a1 = scaled(a1, scale, first, i1)
    b1 = scaled(b1, scale, last, j1)
    scale = v128.load32_splat(scales + s2)
    a2 = scaled(a2, scale, first, i2)
    b2 = scaled(b2, scale, last, j2)
    w = end
    scales += SCALE_BYTES
  }
  const right = shifted(bias, 16)
  store4(out, a0, bias, columns)
  store4(out + 16, b0, right, columns - 4)
  if (rows < 2) return
  out += outStride
  store4(out, a1, bias, columns)
  store4(out + 16, b1, right, columns - 4)
  if (rows < 3) return
  out += outStride
  store4(out, a2, bias, columns)
  store4(out + 16, b2, right, columns - 4)
}

/** out (rows, columns), its rows outRow apart, = quantized rows times packed weights (inner, columns) plus bias (0: none). */
export function quantizedProduct(
  out: usize, outRow: i32, numbers: usize, scales: usize, w: usize, bias: usize, rows: i32, blocks: i32, columns: i32,
): void {
  const outStride = <usize>outRow << 2
  const xStride = <usize>blocks * ROW_BYTES
  const scaleStride = <usize>blocks * SCALE_BYTES
  const most = max(1, CACHED / max(1, <i32>xStride) / ROWS) * ROWS
  while (rows > 0) {
    const height = min(most, rows)
    let panel = w
    for (let column = 0; column < columns; column += PANEL) {
      const width = columns - column
      let to = out + (<usize>column << 2)
      const biasNow = shifted(bias, <usize>column << 2)
      let x = numbers
      let s = scales
      for (let i = 0; i < height; i += ROWS) {
        const count = min(ROWS, height - i)
        if (count == 1) rowPanel(to, x, s, panel, blocks, biasNow, width)
        else {
          rowsHalf(to, outStride, x, xStride, s, scaleStride, panel, 0, blocks, biasNow, min(8, width), count)
          if (width > 8) {
            const right = shifted(biasNow, 32)
            rowsHalf(to + 32, outStride, x, xStride, s, scaleStride, panel, 1, blocks, right, min(8, width - 8), count)
          }
        }
        to += outStride * ROWS
        x += xStride * ROWS
        s += scaleStride * ROWS
      }
      panel += <usize>blocks * BLOCK_BYTES
    }
    out += outStride * <usize>most
    numbers += xStride * <usize>most
    scales += scaleStride * <usize>most
    rows -= most
  }
}
