/**
 * Products of one row with a matrix, read once and in order of memory: decoding is bound by it. Per output the same
 * ascending chain as `tile`, hence the same bits (laws L1, L4). Strides in bytes.
 */
import { madd, splat, storePart } from './simd'

/** Columns of `out` that stay in the first-level cache while rows of y stream by. */
const BLOCK: i32 = 2048

@inline
function addBias(out: usize, bias: usize, columns: i32): void {
  for (let j = 0; j < columns; j += 4) {
    const at = <usize>j << 2
    storePart(out + at, f32x4.add(v128.load(out + at), v128.load(bias + at)), columns - j)
  }
}

/** out (columns) = x (inner) times y (inner, columns), rows `stride` apart, plus bias. */
export function gemvRows(out: usize, x: usize, y: usize, stride: usize, bias: usize, inner: i32, columns: i32): void {
  for (let start = 0; start < columns; start += BLOCK) {
    const width = min(BLOCK, columns - start)
    const at = <usize>start << 2
    gemvBlock(out + at, x, y + at, stride, inner, width, false)
    if (bias != 0) addBias(out + at, bias + at, width)
  }
}

/** As `gemvRows` without bias, all columns at once; with `resume` added to the sums that `out` holds. */
export function gemvBlock(
  out: usize, x: usize, y: usize, stride: usize, inner: i32, columns: i32, resume: bool,
): void {
  const whole = columns & ~3
  const end = out + (<usize>whole << 2)
  const left = columns - whole
  let k = 0
  if (inner < 8 && !resume) memory.fill(out, 0, <usize>columns << 2)
  for (; k + 8 <= inner; k += 8) {
    const s0 = v128.load32_splat(x)
    const s1 = v128.load32_splat(x, 4)
    const s2 = v128.load32_splat(x, 8)
    const s3 = v128.load32_splat(x, 12)
    const s4 = v128.load32_splat(x, 16)
    const s5 = v128.load32_splat(x, 20)
    const s6 = v128.load32_splat(x, 24)
    const s7 = v128.load32_splat(x, 28)
    let y0 = y
    let y1 = y0 + stride
    let y2 = y1 + stride
    let y3 = y2 + stride
    let y4 = y3 + stride
    let y5 = y4 + stride
    let y6 = y5 + stride
    let y7 = y6 + stride
    let to = out
    while (to < end) {
      let a = k == 0 && !resume ? splat(0.0) : v128.load(to)
      a = madd(s0, v128.load(y0), a)
      a = madd(s1, v128.load(y1), a)
      a = madd(s2, v128.load(y2), a)
      a = madd(s3, v128.load(y3), a)
      a = madd(s4, v128.load(y4), a)
      a = madd(s5, v128.load(y5), a)
      a = madd(s6, v128.load(y6), a)
      a = madd(s7, v128.load(y7), a)
      v128.store(to, a)
      to += 16
      y0 += 16
      y1 += 16
      y2 += 16
      y3 += 16
      y4 += 16
      y5 += 16
      y6 += 16
      y7 += 16
    }
    if (left > 0) {
      let a = k == 0 && !resume ? splat(0.0) : v128.load(to)
      a = madd(s0, v128.load(y0), a)
      a = madd(s1, v128.load(y1), a)
      a = madd(s2, v128.load(y2), a)
      a = madd(s3, v128.load(y3), a)
      a = madd(s4, v128.load(y4), a)
      a = madd(s5, v128.load(y5), a)
      a = madd(s6, v128.load(y6), a)
      a = madd(s7, v128.load(y7), a)
      storePart(to, a, left)
    }
    x += 32
    y += stride << 3
  }
  for (; k < inner; k++) {
    const s = v128.load32_splat(x)
    let from = y
    let to = out
    for (; to < end; to += 16, from += 16) v128.store(to, madd(s, v128.load(from), v128.load(to)))
    if (left > 0) storePart(to, madd(s, v128.load(from), v128.load(to)), left)
    x += 4
    y += stride
  }
}

/** out (columns) = x (inner) times y stored (columns, inner), columns `stride` apart, plus bias. */
export function gemvColumns(
  out: usize, x: usize, y: usize, stride: usize, bias: usize, inner: i32, columns: i32,
): void {
  for (let j = 0; j < columns; j += 8) {
    const count = min(8, columns - j)
    const last = <usize>(count - 1)
    const y0 = y
    const y1 = y + min<usize>(1, last) * stride
    const y2 = y + min<usize>(2, last) * stride
    const y3 = y + min<usize>(3, last) * stride
    const y4 = y + min<usize>(4, last) * stride
    const y5 = y + min<usize>(5, last) * stride
    const y6 = y + min<usize>(6, last) * stride
    const y7 = y + min<usize>(7, last) * stride
    let a = splat(0.0)
    let b = splat(0.0)
    let k: usize = 0
    const end = <usize>(inner & ~3) << 2
    for (; k < end; k += 16) {
      const xs = v128.load(x + k)
      let r0 = v128.load(y0 + k)
      let r1 = v128.load(y1 + k)
      let r2 = v128.load(y2 + k)
      let r3 = v128.load(y3 + k)
      let t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
      let t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
      let t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
      let t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
      const s0 = v128.shuffle<f32>(xs, xs, 0, 0, 0, 0)
      const s1 = v128.shuffle<f32>(xs, xs, 1, 1, 1, 1)
      const s2 = v128.shuffle<f32>(xs, xs, 2, 2, 2, 2)
      const s3 = v128.shuffle<f32>(xs, xs, 3, 3, 3, 3)
      a = madd(s0, v128.shuffle<f64>(t0, t2, 0, 2), a)
      a = madd(s1, v128.shuffle<f64>(t0, t2, 1, 3), a)
      a = madd(s2, v128.shuffle<f64>(t1, t3, 0, 2), a)
      a = madd(s3, v128.shuffle<f64>(t1, t3, 1, 3), a)
      r0 = v128.load(y4 + k)
      r1 = v128.load(y5 + k)
      r2 = v128.load(y6 + k)
      r3 = v128.load(y7 + k)
      t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
      t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
      t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
      t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
      b = madd(s0, v128.shuffle<f64>(t0, t2, 0, 2), b)
      b = madd(s1, v128.shuffle<f64>(t0, t2, 1, 3), b)
      b = madd(s2, v128.shuffle<f64>(t1, t3, 0, 2), b)
      b = madd(s3, v128.shuffle<f64>(t1, t3, 1, 3), b)
    }
    for (; k < <usize>inner << 2; k += 4) {
      const s = v128.load32_splat(x + k)
      a = madd(s, f32x4(f32.load(y0 + k), f32.load(y1 + k), f32.load(y2 + k), f32.load(y3 + k)), a)
      b = madd(s, f32x4(f32.load(y4 + k), f32.load(y5 + k), f32.load(y6 + k), f32.load(y7 + k)), b)
    }
    if (bias != 0) {
      a = f32x4.add(a, v128.load(bias + (<usize>j << 2)))
      b = f32x4.add(b, v128.load(bias + (<usize>j << 2), 16))
    }
    storePart(out, a, count)
    storePart(out + 16, b, count - 4)
    out += 32
    y += stride << 3
  }
}

/** One panel of 8 columns, or more that are `step` bytes apart, outStep in `out`: `panels` is a constant wherever this is inlined. */
@inline
function sums(panels: i32, out: usize, outStep: usize, x: usize, y: usize, step: usize, inner: i32): void {
  let y1 = y + step
  let y2 = y1 + step
  let a0 = splat(0.0)
  let b0 = splat(0.0)
  let a1 = splat(0.0)
  let b1 = splat(0.0)
  let a2 = splat(0.0)
  let b2 = splat(0.0)
  for (let k = inner; k > 0; k--) {
    const s = v128.load32_splat(x)
    a0 = madd(s, v128.load(y), a0)
    b0 = madd(s, v128.load(y, 16), b0)
    if (panels > 1) {
      a1 = madd(s, v128.load(y1), a1)
      b1 = madd(s, v128.load(y1, 16), b1)
      y1 += 32
    }
    if (panels > 2) {
      a2 = madd(s, v128.load(y2), a2)
      b2 = madd(s, v128.load(y2, 16), b2)
      y2 += 32
    }
    y += 32
    x += 4
  }
  v128.store(out, a0)
  v128.store(out, b0, 16)
  if (panels > 1) {
    v128.store(out + outStep, a1)
    v128.store(out + outStep, b1, 16)
  }
  if (panels > 2) {
    v128.store(out + 2 * outStep, a2)
    v128.store(out + 2 * outStep, b2, 16)
  }
}

function three(out: usize, outStep: usize, x: usize, y: usize, step: usize, inner: i32): void {
  sums(3, out, outStep, x, y, step, inner)
}

function two(out: usize, x: usize, y: usize, step: usize, inner: i32): void {
  sums(2, out, 32, x, y, step, inner)
}

function one(out: usize, x: usize, y: usize, inner: i32): void {
  sums(1, out, 0, x, y, 0, inner)
}

/**
 * out (columns) = x (inner) times y in panels (columns / 8, inner, 8), plus bias. Each addition of a chain waits for the last one, so three panels
 * run side by side, one of each third of the columns: 84 GB/s from a cache, where two reach 70, and 1.03 times as much as two from memory, which is read
 * in three long streams, x once for all of them. For four there are not enough registers: half as fast from a cache.
 */
export function gemvPanels(out: usize, x: usize, y: usize, bias: usize, inner: i32, columns: i32): void {
  const bytes = <usize>inner << 5
  const third = <usize>(columns / 24)
  for (let j: usize = 0; j < third; j++) {
    three(out + (j << 5), third << 5, x, y + j * bytes, third * bytes, inner)
  }
  const to = out + third * 96
  const from = y + third * 3 * bytes
  const left = columns % 24
  if (left >= 16) two(to, x, from, bytes, inner)
  else if (left >= 8) one(to, x, from, inner)
  if (bias != 0) addBias(out, bias, columns)
}
