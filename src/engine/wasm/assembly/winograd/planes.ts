/** What tiles read of a plane and write to it. */
import { storePart } from '../simd'
import { OUT } from './forms'
import { HIGH, TO, WIDE } from './layout'

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

/** Writes the tiles of a quad to their `places` in y (layout.ts): rows of four vectors of tiles, turned to four numbers of each tile. */
export function storeQuad(y: usize, from: usize, places: usize, width: i32): void {
  const row = <usize>width << 2
  for (const end = places + 16; places < end; places += 4, from += 16) {
    let to = y + (<usize>load<u32>(places + TO) << 2)
    const wide = load<i32>(places + WIDE)
    const high = min(OUT, load<i32>(places + HIGH))
    for (let i = 0; i < high; i++, to += row) {
      const v = v128.load(from + (<usize>i << 6))
      if (wide >= OUT) v128.store(to, v)
      else storePart(to, v, wide)
    }
  }
}
