/** Aᵀ M A of four tiles in the lanes of a vector, written to planes. */
import { splat, storePart } from '../simd'
import { turn } from '../turn'
import { BOTH_MIDDLE, MIDDLE_COLUMNS, MIDDLE_ROWS, NO_MIDDLE, OUT } from './forms'
import { outputSums } from './threeTaps'
import { halvedSums } from './twoTaps'

/** The 4 x 4 outputs of a quad, a vector a row and tile in `temporary`, from 36 vectors `step` bytes apart. */
export function transformOutput(from: usize, step: usize, bias: f32, temporary: usize): void {
  const zero = splat(0.0)
  const sums = temporary + 256
  for (let x: usize = 0; x < 6; x++) {
    const m = from + x * step
    outputSums(
      sums + (x << 4), 96, v128.load(m), v128.load(m + 6 * step), v128.load(m + 12 * step), v128.load(m + 18 * step),
      v128.load(m + 24 * step), v128.load(m + 30 * step), zero,
    )
  }
  for (let y: usize = 0; y < 4; y++) {
    const line = sums + y * 96
    const to = temporary + (y << 6)
    outputSums(
      to, 16, v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), v128.load(line, 64),
      v128.load(line, 80), splat(bias),
    )
    turn(to, 16, to, to + 16, to + 32, to + 48)
  }
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

/** DOUBLED: phases `phase` bytes apart, to 8 x 8 of tiles `t` on, `count` of them; `temporary` holds 52 vectors. */
export function storeDoubled(
  image: usize, from: usize, step: usize, phase: usize, t: i32, count: i32, across: i32, height: i32, width: i32,
  temporary: usize,
): void {
  const outer = temporary + 256
  const sums = temporary + 512
  // The middle tap reaches even elements, the outer ones reach odd ones.
  transformPhase(from + phase * <usize>BOTH_MIDDLE, step, true, true, 0.0, temporary, sums)
  transformPhase(from + phase * <usize>MIDDLE_ROWS, step, true, false, 0.0, outer, sums)
  storeLines(image, temporary, outer, t, count, across, height, width, 0)
  transformPhase(from + phase * <usize>MIDDLE_COLUMNS, step, false, true, 0.0, temporary, sums)
  transformPhase(from + phase * <usize>NO_MIDDLE, step, false, false, 0.0, outer, sums)
  storeLines(image, temporary, outer, t, count, across, height, width, 1)
}

/** Every other row of tiles, from `first` on, its numbers in turn from `even` and `odd`. */
function storeLines(
  image: usize, even: usize, odd: usize, t: i32, count: i32, across: i32, height: i32, width: i32, first: i32,
): void {
  for (let tile = 0; tile < count; tile++) {
    const top = (t + tile) / across * (2 * OUT) + first
    const left = (t + tile) % across * (2 * OUT)
    for (let i = 0; i < OUT && top + 2 * i < height; i++) {
      const at = <usize>((i << 2) + tile) << 4
      const a = v128.load(even + at)
      const b = v128.load(odd + at)
      const to = image + (<usize>((top + 2 * i) * width + left) << 2)
      storePart(to, v128.shuffle<f32>(a, b, 0, 4, 1, 5), width - left)
      storePart(to + 16, v128.shuffle<f32>(a, b, 2, 6, 3, 7), width - left - OUT)
    }
  }
}
