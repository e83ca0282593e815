/** A dy Aᵀ of a tile of four planes in the lanes of a vector, and Gᵀ M G of four windows: the weight's side of tiles. */
import { BOTH_MIDDLE, HALVED, MIDDLE_COLUMNS, MIDDLE_ROWS, NO_MIDDLE, OUT, PLAIN, pointSide } from './forms'
import { cotangentPoints, weightSums } from './threeTaps'
import { firstTap, halvedCotangentPoints, lastTap } from './twoTaps'

/** `form` is a constant wherever this is inlined. */
@inline
function transformSquare(
  form: i32, out: usize, step: usize, from: usize, plane: usize, row: usize, temporary: usize, rows: i32, columns: i32,
): void {
  const side = pointSide(form)
  const line = <usize>side << 4
  let to = temporary
  for (let y = 0; y < 4; y++, from += row, to += line) {
    const r0 = v128.load(from)
    const r1 = v128.load(from + plane)
    const r2 = v128.load(from + 2 * plane)
    const r3 = v128.load(from + 3 * plane)
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
    const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
    const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
    acrossPoints(
      form, columns, to, 16, v128.shuffle<f64>(a, c, 0, 2), v128.shuffle<f64>(a, c, 1, 3), v128.shuffle<f64>(b, d, 0, 2),
      v128.shuffle<f64>(b, d, 1, 3),
    )
  }
  for (let x = 0; x < side; x++, temporary += 16, out += step) {
    acrossPoints(
      form, rows, out, <usize>side * step, v128.load(temporary), v128.load(temporary + line), v128.load(temporary + 2 * line),
      v128.load(temporary + 3 * line),
    )
  }
}

/** Of a short tile (shortTiles.ts) all but the last point are those of a whole one with zeros behind. */
@inline
function acrossPoints(
  form: i32, outputs: i32, out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128,
): void {
  if (form == PLAIN) {
    cotangentPoints(out, step, d0, d1, d2, d3)
    if (outputs < OUT) v128.store(out + 5 * step, outputs == 3 ? d2 : d1)
  } else halvedCotangentPoints(out, step, d0, d1, d2, d3)
}

/** PLAIN: 36 vectors `step` bytes apart, planes `plane` bytes apart. */
export function transformCotangent(out: usize, step: usize, from: usize, plane: usize, row: usize, temporary: usize): void {
  transformSquare(PLAIN, out, step, from, plane, row, temporary, OUT, OUT)
}

/** The same of a tile of fewer rows or columns. */
export function transformShortCotangent(
  out: usize, step: usize, from: usize, plane: usize, row: usize, temporary: usize, rows: i32, columns: i32,
): void {
  transformSquare(PLAIN, out, step, from, plane, row, temporary, rows, columns)
}

/** HALVED: 25 vectors. */
export function transformHalvedCotangent(
  out: usize, step: usize, from: usize, plane: usize, row: usize, temporary: usize,
): void {
  transformSquare(HALVED, out, step, from, plane, row, temporary, OUT, OUT)
}

/** PLAIN: windows of four inputs, of 36 bytes each, from 36 vectors `step` bytes apart. */
export function transformWeight(out: usize, from: usize, step: usize, temporary: usize): void {
  for (let x: usize = 0; x < 6; x++) {
    const m = from + x * step
    weightSums(
      temporary + (x << 4), 96, v128.load(m), v128.load(m + 6 * step), v128.load(m + 12 * step),
      v128.load(m + 18 * step), v128.load(m + 24 * step), v128.load(m + 30 * step),
    )
  }
  const row = temporary + 288
  for (let y: usize = 0; y < 3; y++) {
    const line = temporary + y * 96
    weightSums(
      row, 16, v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), v128.load(line, 64),
      v128.load(line, 80),
    )
    for (let x: usize = 0; x < 3; x++, out += 4) storeLanes(out, v128.load(row + (x << 4)))
  }
}

/** A number of each of four windows. */
@inline
function storeLanes(out: usize, v: v128): void {
  v128.store32_lane(out, v, 0)
  v128.store32_lane(out, v, 1, 36)
  v128.store32_lane(out, v, 2, 72)
  v128.store32_lane(out, v, 3, 108)
}

/** HALVED: from 25 vectors of each of four phases, `phase` bytes apart. */
export function transformHalvedWeight(out: usize, from: usize, step: usize, phase: usize, temporary: usize): void {
  for (let x = 0; x < 5; x++) {
    const m = from + <usize>x * step
    const to = temporary + (<usize>x << 4)
    outerTaps(to, m + phase * <usize>NO_MIDDLE, 5 * step)
    middleTap(to + 160, m + phase * <usize>MIDDLE_ROWS, 5 * step)
    if (x == 4) break
    outerTaps(to + 240, m + phase * <usize>MIDDLE_COLUMNS, 5 * step)
    middleTap(to + 400, m + phase * <usize>BOTH_MIDDLE, 5 * step)
  }
  for (let y: usize = 0; y < 3; y++) {
    // Rows 0, 2 and 1 of the window.
    const to = out + (y == 0 ? 0 : y == 1 ? 24 : 12)
    const line = temporary + y * 80
    storeLanes(to, firstTap(v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48)))
    storeLanes(to + 8, lastTap(v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), v128.load(line, 64)))
    storeLanes(
      to + 4, firstTap(v128.load(line, 240), v128.load(line, 256), v128.load(line, 272), v128.load(line, 288)),
    )
  }
}

/** Two taps of five points, 80 bytes apart. */
@inline
function outerTaps(out: usize, m: usize, step: usize): void {
  const m1 = v128.load(m + step)
  const m2 = v128.load(m + 2 * step)
  const m3 = v128.load(m + 3 * step)
  v128.store(out, firstTap(v128.load(m), m1, m2, m3))
  v128.store(out + 80, lastTap(m1, m2, m3, v128.load(m + 4 * step)))
}

@inline
function middleTap(out: usize, m: usize, step: usize): void {
  v128.store(out, firstTap(v128.load(m), v128.load(m + step), v128.load(m + 2 * step), v128.load(m + 3 * step)))
}
