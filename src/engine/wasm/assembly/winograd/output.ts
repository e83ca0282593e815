/** Aᵀ M A of four tiles in the lanes of a vector, written to planes. */
import { splat, storePart } from '../simd'
import { turn } from '../turn'
import { BOTH_MIDDLE, MIDDLE_COLUMNS, MIDDLE_ROWS, NO_MIDDLE, OUT } from './forms'
import { HIGH, TO, WIDE } from './layout'
import { hasPoint, sideSums } from './shortTiles'
import { outputSums } from './threeTaps'
import { halvedSums } from './twoTaps'

/** `short` is a constant wherever this is inlined. `rows`, `columns`: outputs of short tiles, in the lanes beside. */
@inline
function transformSquares(
  from: usize, step: usize, bias: f32, temporary: usize, rows: i32, shortRows: v128, columns: i32, shortColumns: v128,
  short: bool,
): void {
  const zero = splat(0.0)
  const sums = temporary + 256
  const spare = temporary + 640
  const all = short && i32x4.all_true(shortColumns)
  for (let x = 0; x < 6; x++) {
    if (all && !hasPoint(columns, x)) continue
    const m = from + <usize>x * step
    const to = sums + (<usize>x << 4)
    const m0 = v128.load(m)
    const m1 = v128.load(m + 6 * step)
    const m2 = v128.load(m + 12 * step)
    const m3 = v128.load(m + 18 * step)
    const m4 = v128.load(m + 24 * step)
    const m5 = v128.load(m + 30 * step)
    if (short) sideSums(rows, shortRows, to, 96, m0, m1, m2, m3, m4, m5, zero, spare)
    else outputSums(to, 96, m0, m1, m2, m3, m4, m5, zero)
  }
  const high = short && i32x4.all_true(shortRows) ? rows : OUT
  for (let y = 0; y < high; y++) {
    const line = sums + <usize>y * 96
    const to = temporary + (<usize>y << 6)
    const m0 = v128.load(line)
    const m1 = v128.load(line, 16)
    const m2 = v128.load(line, 32)
    const m3 = v128.load(line, 48)
    const m4 = v128.load(line, 64)
    const m5 = v128.load(line, 80)
    if (short) sideSums(columns, shortColumns, to, 16, m0, m1, m2, m3, m4, m5, splat(bias), spare)
    else outputSums(to, 16, m0, m1, m2, m3, m4, m5, splat(bias))
    turn(to, 16, to, to + 16, to + 32, to + 48)
  }
}

/** The 4 x 4 outputs of a quad, a vector a row and tile in `temporary`, from 36 vectors `step` bytes apart. */
export function transformOutput(from: usize, step: usize, bias: f32, temporary: usize): void {
  transformSquares(from, step, bias, temporary, OUT, splat(0.0), OUT, splat(0.0), false)
}

/** The same where lanes are short; from vectors of the points that a lane has. */
export function transformShortOutput(
  from: usize, step: usize, bias: f32, temporary: usize, rows: i32, shortRows: v128, columns: i32, shortColumns: v128,
): void {
  transformSquares(from, step, bias, temporary, rows, shortRows, columns, shortColumns, true)
}


/** HALVED, or a phase of DOUBLED: from 25 vectors. Those at infinity are 0 by rows or by columns of the middle tap, and not read. */
@inline
function transformPhase(
  from: usize, step: usize, middleRows: bool, middleColumns: bool, bias: f32, temporary: usize, sums: usize,
): void {
  const zero = splat(0.0)
  for (let x: usize = 0; x < <usize>(middleColumns ? 4 : 5); x++) {
    const m = from + x * step
    halvedSums(
      sums + (x << 4), 80, v128.load(m), v128.load(m + 5 * step), v128.load(m + 10 * step), v128.load(m + 15 * step),
      middleRows ? zero : v128.load(m + 20 * step), zero,
    )
  }
  for (let y: usize = 0; y < 4; y++) {
    const line = sums + y * 80
    const to = temporary + (y << 6)
    halvedSums(
      to, 16, v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48),
      middleColumns ? zero : v128.load(line, 64), splat(bias),
    )
    turn(to, 16, to, to + 16, to + 32, to + 48)
  }
}

export function transformHalvedOutput(from: usize, step: usize, bias: f32, temporary: usize): void {
  transformPhase(from, step, false, false, bias, temporary, temporary + 256)
}

/** DOUBLED: phases `phase` bytes apart, to 8 x 8 of the tiles of a quad, `places` in y (layout.ts); `temporary` holds 52 vectors. */
export function storeDoubled(y: usize, from: usize, step: usize, phase: usize, places: usize, width: i32, temporary: usize): void {
  const outer = temporary + 256
  const sums = temporary + 512
  // The middle tap reaches even elements, the outer ones reach odd ones.
  transformPhase(from + phase * <usize>BOTH_MIDDLE, step, true, true, 0.0, temporary, sums)
  transformPhase(from + phase * <usize>MIDDLE_ROWS, step, true, false, 0.0, outer, sums)
  storeLines(y, temporary, outer, places, width, 0)
  transformPhase(from + phase * <usize>MIDDLE_COLUMNS, step, false, true, 0.0, temporary, sums)
  transformPhase(from + phase * <usize>NO_MIDDLE, step, false, false, 0.0, outer, sums)
  storeLines(y, temporary, outer, places, width, 1)
}

/** Every other row of tiles, from `first` on, its numbers in turn from `even` and `odd`. */
function storeLines(y: usize, even: usize, odd: usize, places: usize, width: i32, first: i32): void {
  const row = <usize>width << 3
  for (const end = places + 16; places < end; places += 4, even += 16, odd += 16) {
    let to = y + (<usize>(load<u32>(places + TO) + first * width) << 2)
    const wide = load<i32>(places + WIDE)
    const high = min((load<i32>(places + HIGH) - first + 1) >> 1, OUT)
    for (let i = 0; i < high; i++, to += row) {
      const a = v128.load(even + (<usize>i << 6))
      const b = v128.load(odd + (<usize>i << 6))
      storePart(to, v128.shuffle<f32>(a, b, 0, 4, 1, 5), wide)
      storePart(to + 16, v128.shuffle<f32>(a, b, 2, 6, 3, 7), wide - OUT)
    }
  }
}
