/**
 * The register block every product is made of: out (rows <= 4, columns <= 8) = x (rows, inner) times a packed panel (inner, 8).
 * Invariance (laws L1, L4): an output is one chain over `inner` in ascending order, acc = acc + x * y; lanes lie across columns, never across
 * inner, so its bits depend neither on the row's place nor on the block it falls into. `resume` continues a chain stored in `out`.
 */
import { madd, splat, storePart } from './simd'

/** Columns of a panel. */
export const PANEL: i32 = 8
/** Rows of a tile. */
export const ROWS: i32 = 4

/** Strides in bytes. `bias` (8 numbers at most, 0 for none) is added after the sum. Row r < rows only is stored. */
export function tile(
  out: usize, outStride: usize, x: usize, xStride: usize, panel: usize,
  inner: i32, rows: i32, columns: i32, resume: bool, bias: usize,
): void {
  // Missing rows repeat the last one; their results are dropped.
  const last = <usize>(rows - 1)
  const step1 = min<usize>(1, last)
  const step2 = min<usize>(2, last)
  const step3 = min<usize>(3, last)
  let x0 = x
  let x1 = x + step1 * xStride
  let x2 = x + step2 * xStride
  let x3 = x + step3 * xStride
  const o0 = out
  const o1 = out + step1 * outStride
  const o2 = out + step2 * outStride
  const o3 = out + step3 * outStride
  let a0 = splat(0.0)
  let b0 = a0
  let a1 = a0
  let b1 = a0
  let a2 = a0
  let b2 = a0
  let a3 = a0
  let b3 = a0
  if (resume) {
    a0 = v128.load(o0)
    a1 = v128.load(o1)
    a2 = v128.load(o2)
    a3 = v128.load(o3)
    if (columns > 4) {
      b0 = v128.load(o0, 16)
      b1 = v128.load(o1, 16)
      b2 = v128.load(o2, 16)
      b3 = v128.load(o3, 16)
    }
  }
  let k = inner
  while (k >= 4) {
    let p = v128.load(panel)
    let q = v128.load(panel, 16)
    let s = v128.load32_splat(x0)
    a0 = madd(s, p, a0)
    b0 = madd(s, q, b0)
    s = v128.load32_splat(x1)
    a1 = madd(s, p, a1)
    b1 = madd(s, q, b1)
    s = v128.load32_splat(x2)
    a2 = madd(s, p, a2)
    b2 = madd(s, q, b2)
    s = v128.load32_splat(x3)
    a3 = madd(s, p, a3)
    b3 = madd(s, q, b3)
    p = v128.load(panel, 32)
    q = v128.load(panel, 48)
    s = v128.load32_splat(x0, 4)
    a0 = madd(s, p, a0)
    b0 = madd(s, q, b0)
    s = v128.load32_splat(x1, 4)
    a1 = madd(s, p, a1)
    b1 = madd(s, q, b1)
    s = v128.load32_splat(x2, 4)
    a2 = madd(s, p, a2)
    b2 = madd(s, q, b2)
    s = v128.load32_splat(x3, 4)
    a3 = madd(s, p, a3)
    b3 = madd(s, q, b3)
    p = v128.load(panel, 64)
    q = v128.load(panel, 80)
    s = v128.load32_splat(x0, 8)
    a0 = madd(s, p, a0)
    b0 = madd(s, q, b0)
    s = v128.load32_splat(x1, 8)
    a1 = madd(s, p, a1)
    b1 = madd(s, q, b1)
    s = v128.load32_splat(x2, 8)
    a2 = madd(s, p, a2)
    b2 = madd(s, q, b2)
    s = v128.load32_splat(x3, 8)
    a3 = madd(s, p, a3)
    b3 = madd(s, q, b3)
    p = v128.load(panel, 96)
    q = v128.load(panel, 112)
    s = v128.load32_splat(x0, 12)
    a0 = madd(s, p, a0)
    b0 = madd(s, q, b0)
    s = v128.load32_splat(x1, 12)
    a1 = madd(s, p, a1)
    b1 = madd(s, q, b1)
    s = v128.load32_splat(x2, 12)
    a2 = madd(s, p, a2)
    b2 = madd(s, q, b2)
    s = v128.load32_splat(x3, 12)
    a3 = madd(s, p, a3)
    b3 = madd(s, q, b3)
    panel += 128
    x0 += 16
    x1 += 16
    x2 += 16
    x3 += 16
    k -= 4
  }
  while (k > 0) {
    const p = v128.load(panel)
    const q = v128.load(panel, 16)
    let s = v128.load32_splat(x0)
    a0 = madd(s, p, a0)
    b0 = madd(s, q, b0)
    s = v128.load32_splat(x1)
    a1 = madd(s, p, a1)
    b1 = madd(s, q, b1)
    s = v128.load32_splat(x2)
    a2 = madd(s, p, a2)
    b2 = madd(s, q, b2)
    s = v128.load32_splat(x3)
    a3 = madd(s, p, a3)
    b3 = madd(s, q, b3)
    panel += 32
    x0 += 4
    x1 += 4
    x2 += 4
    x3 += 4
    k--
  }
  if (bias != 0) {
    const p = v128.load(bias)
    a0 = f32x4.add(a0, p)
    a1 = f32x4.add(a1, p)
    a2 = f32x4.add(a2, p)
    a3 = f32x4.add(a3, p)
    const q = v128.load(bias, 16)
    b0 = f32x4.add(b0, q)
    b1 = f32x4.add(b1, q)
    b2 = f32x4.add(b2, q)
    b3 = f32x4.add(b3, q)
  }
  if (columns == PANEL && rows == ROWS) {
    v128.store(o0, a0)
    v128.store(o0, b0, 16)
    v128.store(o1, a1)
    v128.store(o1, b1, 16)
    v128.store(o2, a2)
    v128.store(o2, b2, 16)
    v128.store(o3, a3)
    v128.store(o3, b3, 16)
    return
  }
  storeRow(o0, a0, b0, columns)
  if (rows > 1) storeRow(o1, a1, b1, columns)
  if (rows > 2) storeRow(o2, a2, b2, columns)
  if (rows > 3) storeRow(o3, a3, b3, columns)
}

function storeRow(to: usize, a: v128, b: v128, columns: i32): void {
  storePart(to, a, columns)
  storePart(to + 16, b, columns - 4)
}
