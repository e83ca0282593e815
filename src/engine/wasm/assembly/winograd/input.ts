/** Bᵀ d B of tiles in the lanes of a vector: four tiles of a plane, or the same tile of four planes. Rows of `row` bytes. */
import { hasPoint, sidePoints } from './shortTiles'
import { inputPoints } from './threeTaps'
import { middlePoints, outerPoints } from './twoTaps'
import { splat } from '../simd'
import { BOTH_MIDDLE, DOUBLED, MIDDLE_COLUMNS, MIDDLE_ROWS, NO_MIDDLE, OUT, PLAIN, pointSide } from './forms'

/** Bytes of the lines of a tile between the two halves of a transform. */
const LINES: usize = 576

/** `form` and `short` are constants wherever this is inlined. `rows`, `columns`: outputs of short tiles, in the lanes beside. */
@inline
function transformSquares(
  form: i32, out: usize, step: usize, x0: usize, x1: usize, x2: usize, x3: usize, row: usize, temporary: usize,
  rows: i32, shortRows: v128, columns: i32, shortColumns: v128, short: bool,
): void {
  const side = pointSide(form)
  const line = <usize>side << 4
  const high = short && i32x4.all_true(shortRows) ? rows + 2 : side
  let to = temporary
  for (let y = 0; y < high; y++, to += line) {
    const r0 = v128.load(x0)
    const r1 = v128.load(x1)
    const r2 = v128.load(x2)
    const r3 = v128.load(x3)
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
    const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
    const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
    const d0 = v128.shuffle<f64>(a, c, 0, 2)
    const d1 = v128.shuffle<f64>(a, c, 1, 3)
    const d2 = v128.shuffle<f64>(b, d, 0, 2)
    const d3 = v128.shuffle<f64>(b, d, 1, 3)
    let low = v128.load64_zero(x0, 16)
    low = v128.load64_lane(x1, low, 1, 16)
    let high = v128.load64_zero(x2, 16)
    high = v128.load64_lane(x3, high, 1, 16)
    const d4 = v128.shuffle<f32>(low, high, 0, 2, 4, 6)
    if (form == PLAIN) {
      const d5 = v128.shuffle<f32>(low, high, 1, 3, 5, 7)
      if (short) sidePoints(columns, shortColumns, to, 16, d0, d1, d2, d3, d4, d5, temporary + LINES)
      else inputPoints(to, 16, d0, d1, d2, d3, d4, d5)
    } else outerPoints(to, 16, d0, d1, d2, d3, d4)
    x0 += row
    x1 += row
    x2 += row
    x3 += row
  }
  const spare = temporary + LINES
  const all = short && i32x4.all_true(shortColumns)
  for (let x = 0; x < side; x++, temporary += 16, out += step) {
    const d0 = v128.load(temporary)
    if (short) {
      if (all && !hasPoint(columns, x)) continue
      sidePoints(
        rows, shortRows, out, 6 * step, d0, v128.load(temporary, 96), v128.load(temporary, 192),
        v128.load(temporary, 288), v128.load(temporary, 384), v128.load(temporary, 480), spare,
      )
    } else if (form == PLAIN) {
      inputPoints(
        out, 6 * step, d0, v128.load(temporary, 96), v128.load(temporary, 192), v128.load(temporary, 288),
        v128.load(temporary, 384), v128.load(temporary, 480),
      )
    } else {
      outerPoints(
        out, 5 * step, d0, v128.load(temporary, 80), v128.load(temporary, 160), v128.load(temporary, 240),
        v128.load(temporary, 320),
      )
    }
  }
}

/** PLAIN: 36 vectors `step` bytes apart from tiles of 6 x 6; `temporary` holds as many. */
export function transformInput(
  out: usize, step: usize, x0: usize, x1: usize, x2: usize, x3: usize, row: usize, temporary: usize,
): void {
  const none = splat(0.0)
  transformSquares(PLAIN, out, step, x0, x1, x2, x3, row, temporary, OUT, none, OUT, none, false)
}

/** The same where lanes are short, by rows or columns, of so many outputs; points that no lane has are left out. */
export function transformShortInput(
  out: usize, step: usize, x0: usize, x1: usize, x2: usize, x3: usize, row: usize, temporary: usize,
  rows: i32, shortRows: v128, columns: i32, shortColumns: v128,
): void {
  transformSquares(PLAIN, out, step, x0, x1, x2, x3, row, temporary, rows, shortRows, columns, shortColumns, true)
}

/** DOUBLED: 25 vectors from tiles of 5 x 5. */
export function transformDoubled(
  out: usize, step: usize, x0: usize, x1: usize, x2: usize, x3: usize, row: usize, temporary: usize,
): void {
  const none = splat(0.0)
  transformSquares(DOUBLED, out, step, x0, x1, x2, x3, row, temporary, OUT, none, OUT, none, false)
}

/** HALVED: vectors of 25 points, `step` bytes apart, of four phases `phase` bytes apart, from tiles of 9 x 9; `temporary` holds 81 vectors. */
export function transformHalved(
  out: usize, step: usize, phase: usize, x0: usize, x1: usize, x2: usize, x3: usize, row: usize, temporary: usize,
): void {
  for (let y: usize = 0; y < 9; y++) {
    let r0 = v128.load(x0)
    let r1 = v128.load(x1)
    let r2 = v128.load(x2)
    let r3 = v128.load(x3)
    // Even and odd columns of two tiles each.
    let a = v128.shuffle<f32>(r0, r1, 0, 4, 2, 6)
    let b = v128.shuffle<f32>(r2, r3, 0, 4, 2, 6)
    const e0 = v128.shuffle<f64>(a, b, 0, 2)
    const e1 = v128.shuffle<f64>(a, b, 1, 3)
    a = v128.shuffle<f32>(r0, r1, 1, 5, 3, 7)
    b = v128.shuffle<f32>(r2, r3, 1, 5, 3, 7)
    const o0 = v128.shuffle<f64>(a, b, 0, 2)
    const o1 = v128.shuffle<f64>(a, b, 1, 3)
    r0 = v128.load(x0, 16)
    r1 = v128.load(x1, 16)
    r2 = v128.load(x2, 16)
    r3 = v128.load(x3, 16)
    a = v128.shuffle<f32>(r0, r1, 0, 4, 2, 6)
    b = v128.shuffle<f32>(r2, r3, 0, 4, 2, 6)
    const e2 = v128.shuffle<f64>(a, b, 0, 2)
    const e3 = v128.shuffle<f64>(a, b, 1, 3)
    a = v128.shuffle<f32>(r0, r1, 1, 5, 3, 7)
    b = v128.shuffle<f32>(r2, r3, 1, 5, 3, 7)
    let last = v128.load32_zero(x0 + 32)
    last = v128.load32_lane(x1 + 32, last, 1)
    last = v128.load32_lane(x2 + 32, last, 2)
    last = v128.load32_lane(x3 + 32, last, 3)
    const to = temporary + y * 144
    outerPoints(to, 16, e0, e1, e2, e3, last)
    middlePoints(to + 80, 16, o0, o1, v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3))
    x0 += row
    x1 += row
    x2 += row
    x3 += row
  }
  for (let x: usize = 0; x < 9; x++) {
    const middle = x >= 5
    const to = out + (middle ? x - 5 : x) * step
    const line = temporary + (x << 4)
    outerPoints(
      to + phase * <usize>(middle ? MIDDLE_COLUMNS : NO_MIDDLE), 5 * step, v128.load(line), v128.load(line, 288),
      v128.load(line, 576), v128.load(line, 864), v128.load(line, 1152),
    )
    middlePoints(
      to + phase * <usize>(middle ? BOTH_MIDDLE : MIDDLE_ROWS), 5 * step, v128.load(line, 144), v128.load(line, 432),
      v128.load(line, 720), v128.load(line, 1008),
    )
  }
}
