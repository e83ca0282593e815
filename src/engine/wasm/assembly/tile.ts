/**
 * The register block every product is made of: out (rows <= ROWS, columns <= 8) = x (rows, inner) times a packed panel
 * (inner, 8). Invariance (laws L1, L4): an output is one chain over `inner` in ascending order, acc = acc + x * y;
 * lanes lie across columns, never across inner, so its bits depend neither on the row's place nor on the block it falls
 * into. `resume` continues a chain stored in `out`.
 * 6 x 8 fused, 5 x 8 with a multiply and an add, and one step a loop measured best of 30 shapes in V8, which has 15
 * registers: twelve sums, two loads of the panel and one number of x, or ten and the product. A fused step takes four
 * cycles and two begin in each: twelve independent ones leave some slack, ten do not. Anything but plain stores after
 * the loop makes V8 load all of x first and spill sums, hence the separate edges.
 */
import { madd, splat, storePart } from './simd'

/** Columns of a panel. */
export const PANEL: i32 = 8
/** Rows of a tile at most. */
export const ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5
/** Bytes of a whole tile, where the edges are computed. */
export const SPARE: usize = 192

/** Rows of the next tile where `left` are to do: none of few that could be shared out evenly. */
@inline
export function tileRows(left: i32): i32 {
  return left >= 2 * ROWS || left == ROWS ? ROWS : left > 4 ? (left + 1) >> 1 : left
}

/** `rows` is a constant 1 to 6 wherever this is inlined. Strides in bytes: xStep along `inner`. */
@inline
function sums(
  rows: i32, out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize,
  inner: i32, resume: bool,
): void {
  let x0 = x
  let x1 = x + xStride
  let x2 = x1 + xStride
  let x3 = x2 + xStride
  let x4 = x3 + xStride
  let x5 = x4 + xStride
  let a0 = splat(0.0)
  let b0 = splat(0.0)
  let a1 = splat(0.0)
  let b1 = splat(0.0)
  let a2 = splat(0.0)
  let b2 = splat(0.0)
  let a3 = splat(0.0)
  let b3 = splat(0.0)
  let a4 = splat(0.0)
  let b4 = splat(0.0)
  let a5 = splat(0.0)
  let b5 = splat(0.0)
  if (resume) {
    a0 = v128.load(out)
    b0 = v128.load(out, 16)
    if (rows > 1) {
      a1 = v128.load(out + outStride)
      b1 = v128.load(out + outStride, 16)
    }
    if (rows > 2) {
      a2 = v128.load(out + 2 * outStride)
      b2 = v128.load(out + 2 * outStride, 16)
    }
    if (rows > 3) {
      a3 = v128.load(out + 3 * outStride)
      b3 = v128.load(out + 3 * outStride, 16)
    }
    if (rows > 4) {
      a4 = v128.load(out + 4 * outStride)
      b4 = v128.load(out + 4 * outStride, 16)
    }
    if (rows > 5) {
      a5 = v128.load(out + 5 * outStride)
      b5 = v128.load(out + 5 * outStride, 16)
    }
  }
  for (let k = inner; k > 0; k--) {
    const p = v128.load(panel)
    const q = v128.load(panel, 16)
    const s0 = v128.load32_splat(x0)
    a0 = madd(s0, p, a0)
    b0 = madd(s0, q, b0)
    if (rows > 1) {
      const s1 = v128.load32_splat(x1)
      a1 = madd(s1, p, a1)
      b1 = madd(s1, q, b1)
      x1 += xStep
    }
    if (rows > 2) {
      const s2 = v128.load32_splat(x2)
      a2 = madd(s2, p, a2)
      b2 = madd(s2, q, b2)
      x2 += xStep
    }
    if (rows > 3) {
      const s3 = v128.load32_splat(x3)
      a3 = madd(s3, p, a3)
      b3 = madd(s3, q, b3)
      x3 += xStep
    }
    if (rows > 4) {
      const s4 = v128.load32_splat(x4)
      a4 = madd(s4, p, a4)
      b4 = madd(s4, q, b4)
      x4 += xStep
    }
    if (rows > 5) {
      const s5 = v128.load32_splat(x5)
      a5 = madd(s5, p, a5)
      b5 = madd(s5, q, b5)
      x5 += xStep
    }
    panel += 32
    x0 += xStep
  }
  v128.store(out, a0)
  v128.store(out, b0, 16)
  if (rows > 1) {
    v128.store(out + outStride, a1)
    v128.store(out + outStride, b1, 16)
  }
  if (rows > 2) {
    v128.store(out + 2 * outStride, a2)
    v128.store(out + 2 * outStride, b2, 16)
  }
  if (rows > 3) {
    v128.store(out + 3 * outStride, a3)
    v128.store(out + 3 * outStride, b3, 16)
  }
  if (rows > 4) {
    v128.store(out + 4 * outStride, a4)
    v128.store(out + 4 * outStride, b4, 16)
  }
  if (rows > 5) {
    v128.store(out + 5 * outStride, a5)
    v128.store(out + 5 * outStride, b5, 16)
  }
}

function one(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize, inner: i32, resume: bool,
): void {
  sums(1, out, outStride, x, xStride, xStep, panel, inner, resume)
}

function two(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize, inner: i32, resume: bool,
): void {
  sums(2, out, outStride, x, xStride, xStep, panel, inner, resume)
}

function three(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize, inner: i32, resume: bool,
): void {
  sums(3, out, outStride, x, xStride, xStep, panel, inner, resume)
}

function four(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize, inner: i32, resume: bool,
): void {
  sums(4, out, outStride, x, xStride, xStep, panel, inner, resume)
}

function five(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize, inner: i32, resume: bool,
): void {
  sums(5, out, outStride, x, xStride, xStep, panel, inner, resume)
}

function six(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize, inner: i32, resume: bool,
): void {
  sums(6, out, outStride, x, xStride, xStep, panel, inner, resume)
}

/** All eight columns. */
export function whole(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize,
  inner: i32, rows: i32, resume: bool,
): void {
  if (ROWS > 5 && rows == 6) six(out, outStride, x, xStride, xStep, panel, inner, resume)
  else if (rows == 5) five(out, outStride, x, xStride, xStep, panel, inner, resume)
  else if (rows == 4) four(out, outStride, x, xStride, xStep, panel, inner, resume)
  else if (rows == 3) three(out, outStride, x, xStride, xStep, panel, inner, resume)
  else if (rows == 2) two(out, outStride, x, xStride, xStep, panel, inner, resume)
  else one(out, outStride, x, xStride, xStep, panel, inner, resume)
}

/** `spare` is the address of SPARE bytes. `bias` (8 numbers at most, 0 for none) is added after the sum. */
export function tile(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panel: usize,
  inner: i32, rows: i32, columns: i32, resume: bool, bias: usize, spare: usize,
): void {
  if (columns == PANEL) {
    whole(out, outStride, x, xStride, xStep, panel, inner, rows, resume)
    if (bias != 0) addBias(out, outStride, bias, rows)
    return
  }
  if (resume) copyPart(spare, 32, out, outStride, rows, columns)
  whole(spare, 32, x, xStride, xStep, panel, inner, rows, resume)
  if (bias != 0) addBias(spare, 32, bias, rows)
  copyPart(out, outStride, spare, 32, rows, columns)
}

function addBias(out: usize, stride: usize, bias: usize, rows: i32): void {
  const p = v128.load(bias)
  const q = v128.load(bias, 16)
  for (; rows > 0; rows--, out += stride) {
    v128.store(out, f32x4.add(v128.load(out), p))
    v128.store(out, f32x4.add(v128.load(out, 16), q), 16)
  }
}

function copyPart(out: usize, outStride: usize, x: usize, xStride: usize, rows: i32, columns: i32): void {
  for (; rows > 0; rows--, out += outStride, x += xStride) {
    storePart(out, v128.load(x), columns)
    storePart(out + 16, v128.load(x, 16), columns - 4)
  }
}
