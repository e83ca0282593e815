/** Kernels that only move numbers: strided rows, transposes, gather and its adjoint. Strides in elements. */
import { storePart } from './simd'

/** `rows` runs of `width` numbers from one stride to another. */
export function copyRows(out: usize, outStride: i32, x: usize, xStride: i32, rows: i32, width: i32): void {
  const bytes = <usize>width << 2
  if (width % 4 == 0 && width <= 128) {
    for (let i = 0; i < rows; i++) {
      for (let j: usize = 0; j < bytes; j += 16) v128.store(out + j, v128.load(x + j))
      out += <usize>outStride << 2
      x += <usize>xStride << 2
    }
    return
  }
  for (let i = 0; i < rows; i++) {
    if (width == 1) f32.store(out, f32.load(x))
    else memory.copy(out, x, bytes)
    out += <usize>outStride << 2
    x += <usize>xStride << 2
  }
}

/** out[j, i] = x[i, j], x (rows, columns). Tiles of 4 by 4. */
export function transpose(out: usize, outStride: i32, x: usize, xStride: i32, rows: i32, columns: i32): void {
  const to = <usize>outStride << 2
  const from = <usize>xStride << 2
  // Strips of 16 columns keep a written cache line in use until it is full.
  for (let strip = 0; strip < columns; strip += 16) {
    const end = min(strip + 16, columns)
    for (let i = 0; i < rows; i += 4) {
      const count = rows - i
      const x0 = x + <usize>i * from
      const x1 = count > 1 ? x0 + from : x0
      const x2 = count > 2 ? x1 + from : x1
      const x3 = count > 3 ? x2 + from : x2
      for (let j = strip; j < end; j += 4) {
        const at = <usize>j << 2
        const r0 = v128.load(x0 + at)
        const r1 = v128.load(x1 + at)
        const r2 = v128.load(x2 + at)
        const r3 = v128.load(x3 + at)
        const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
        const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
        const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
        const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
        const left = end - j
        const o = out + <usize>j * to + (<usize>i << 2)
        storePart(o, v128.shuffle<f64>(a, c, 0, 2), count)
        if (left > 1) storePart(o + to, v128.shuffle<f64>(a, c, 1, 3), count)
        if (left > 2) storePart(o + 2 * to, v128.shuffle<f64>(b, d, 0, 2), count)
        if (left > 3) storePart(o + 3 * to, v128.shuffle<f64>(b, d, 1, 3), count)
      }
    }
  }
}

/**
 * The matrices at a by b by c places, rows copied or `turned`: each axis with its strides of out and of x. The rest as in `copyRows` and
 * `transpose`.
 */
export function permute(
  out: usize, x: usize, a: i32, aOut: i32, aX: i32, b: i32, bOut: i32, bX: i32, c: i32, cOut: i32, cX: i32,
  outStride: i32, xStride: i32, rows: i32, columns: i32, turned: bool,
): void {
  for (; a > 0; a--, out += <usize>aOut << 2, x += <usize>aX << 2) {
    for (let j = 0; j < b; j++) {
      let to = out + (<usize>(j * bOut) << 2)
      let from = x + (<usize>(j * bX) << 2)
      for (let k = 0; k < c; k++, to += <usize>cOut << 2, from += <usize>cX << 2) {
        if (turned) transpose(to, outStride, from, xStride, rows, columns)
        else copyRows(to, outStride, from, xStride, rows, columns)
      }
    }
  }
}

/** out[i, :] = table[ids[i], :]. */
export function gather(out: usize, table: usize, ids: usize, count: i32, width: i32): void {
  const bytes = <usize>width << 2
  for (let i = 0; i < count; i++) {
    memory.copy(out, table + <usize>load<u32>(ids + (<usize>i << 2)) * bytes, bytes)
    out += bytes
  }
}

/** Rows `first` to `end` of out (rows, width) = 0, then out[ids[i], :] += x[i, :] in order of i where the row is one of them. */
export function scatterAdd(out: usize, x: usize, ids: usize, count: i32, width: i32, first: i32, end: i32): void {
  const bytes = <usize>width << 2
  memory.fill(out + <usize>first * bytes, 0, bytes * <usize>(end - first))
  for (let i = 0; i < count; i++, x += bytes) {
    const row = load<i32>(ids + (<usize>i << 2))
    if (row < first || row >= end) continue
    const to = out + <usize>row * bytes
    let j = 0
    for (; j + 4 <= width; j += 4) {
      const at = <usize>j << 2
      v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(x + at)))
    }
    const at = <usize>j << 2
    if (j < width) storePart(to + at, f32x4.add(v128.load(to + at), v128.load(x + at)), width - j)
  }
}
