/** What tiles read of a plane and write to it. */
import { storePart } from '../simd'
import { OUT } from './forms'

/**
 * Rows `above` to `below` of a plane with rows of `row` bytes, as far as x (height, width) with its first element at (top, left) has them: the
 * zeros around it stay.
 */
export function copyRows(
  out: usize, row: usize, x: usize, height: i32, width: i32, top: i32, left: i32, above: i32, below: i32,
): void {
  const bytes = <usize>width << 2
  const end = min(below, top + height)
  for (let y = max(above, top); y < end; y++) {
    const from = x + <usize>(y - top) * bytes
    const to = out + <usize>y * row + (<usize>left << 2)
    if (width < 4) {
      for (let at: usize = 0; at < bytes; at += 4) f32.store(to + at, f32.load(from + at))
      continue
    }
    for (let at: usize = 0; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at))
    v128.store(to + bytes - 16, v128.load(from + bytes - 16))
  }
}

/** Four numbers at one address and three more a step apart. */
@inline
export function lanes(from: usize, step: usize): v128 {
  let v = v128.load32_zero(from)
  v = v128.load32_lane(from + step, v, 1)
  v = v128.load32_lane(from + 2 * step, v, 2)
  return v128.load32_lane(from + 3 * step, v, 3)
}

/** Writes `count` tiles from `t` on: rows of four vectors of tiles, turned to four numbers of each tile, inside the plane alone. */
export function storeQuad(image: usize, from: usize, t: i32, count: i32, across: i32, outHeight: i32, outWidth: i32): void {
  let top = t / across * OUT
  let left = t % across * OUT
  const row = <usize>outWidth << 2
  for (let tile = 0; tile < count; tile++) {
    const to = image + (<usize>(top * outWidth + left) << 2)
    const whole = left + OUT <= outWidth
    for (let i: usize = 0; i < <usize>min(OUT, outHeight - top); i++) {
      const v = v128.load(from + (((i << 2) + <usize>tile) << 4))
      if (whole) v128.store(to + i * row, v)
      else storePart(to + i * row, v, outWidth - left)
    }
    left += OUT
    if (left >= outWidth) {
      left = 0
      top += OUT
    }
  }
}
