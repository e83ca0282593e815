/**
 * The convolution of 3 x 3 with a stride of 2 and padding 1 after Winograd, from primitives: its bound on the rounding engine is that of the wasm
 * engine's tiles (assembly/winograd/forms.ts), and its values are the convolution's. Every other element from the border on meets the outer taps,
 * those between meet the middle one: four phases, each F(4 x 4, 2 x 2), the middle tap one of two whose second is 0.
 */
import { add } from '../../src/kernel/binary.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { permute } from '../../src/kernel/permute.ts'
import { slice } from '../../src/kernel/slice.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { bothSides, join, tilesOf, turned } from './winograd.ts'

const INPUT = [
  [2, -1, -2, 1, 0],
  [0, -2, -1, 1, 0],
  [0, 2, -3, 1, 0],
  [0, -1, 0, 1, 0],
  [0, 2, -1, -2, 1],
]
const OUTPUT = [
  [1, 1, 1, 1, 0],
  [0, 1, -1, 2, 0],
  [0, 1, 1, 4, 0],
  [0, 1, -1, 8, 1],
]
/** Of the three taps, the outer ones or the middle one. */
const WEIGHTS = {
  outer: [
    [1 / 2, 0, 0],
    [-1 / 2, 0, -1 / 2],
    [-1 / 6, 0, 1 / 6],
    [1 / 6, 0, 1 / 3],
    [0, 0, 1],
  ],
  middle: [
    [0, 1 / 2, 0],
    [0, -1 / 2, 0],
    [0, -1 / 6, 0],
    [0, 1 / 6, 0],
    [0, 0, 0],
  ],
}
type Taps = keyof typeof WEIGHTS
const phases: readonly (readonly [rows: Taps, columns: Taps])[] = [
  ['middle', 'middle'],
  ['middle', 'outer'],
  ['outer', 'middle'],
  ['outer', 'outer'],
]

const eighths = (length: number): number => Math.ceil(length / 8)

/** Points (25, …) of the tiles of x that a phase sees. */
const seenBy = (x: Tensor, count: readonly [number, number], [rows, columns]: readonly [Taps, Taps]): Tensor => {
  const before = [rows === 'outer' ? 1 : 0, columns === 'outer' ? 1 : 0] as const
  return bothSides(INPUT, tilesOf(x, count, { before, side: 5, stride: 8, dilation: 2 }))
}

/** y (batch, outputs, …) of x (batch, inputs, …) and weight (outputs, inputs / groups, 3, 3), its window moved by 2. */
export const halvedConvolution = (x: Tensor, weight: Tensor, bias: Tensor | null, groups: number): Tensor => {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape
  const [all = 0] = weight.shape
  const [inputs, outputs] = [channels / groups, all / groups]
  const [down, across] = [eighths(height), eighths(width)]
  const tiles = down * across
  const windows = permute(weight, [2, 3, 0, 1])
  const kernels = phases.map(([rows, columns]) =>
    bothSides(WEIGHTS[rows], windows, WEIGHTS[columns]).share([25 * groups, outputs, inputs]),
  )
  const points = phases.map(phase =>
    permute(seenBy(x, [down, across], phase).share([25, tiles, batch, groups, inputs]), [0, 3, 4, 1, 2]).share([
      25 * groups,
      inputs,
      tiles * batch,
    ]),
  )
  const products = matmulTransposed(join(kernels, 2), join(points, 1), {})
  const values = bothSides(OUTPUT, products.share([5, 5, all * tiles * batch]))
  const apart = permute(values.share([4, 4, all, down, across, batch]), [5, 2, 3, 0, 4, 1])
  const whole = apart.share([batch, all, 4 * down, 4 * across])
  const y = slice(slice(whole, 2, 0, Math.ceil(height / 2)), 3, 0, Math.ceil(width / 2))
  return bias === null ? y : add(y, bias.share([all, 1, 1]))
}

/** The gradient of the input, of planes [height, width]: each phase of it from the same points of dy. */
export const halvedInputGradient = (
  dy: Tensor,
  weight: Tensor,
  [height, width]: readonly [number, number],
  groups: number,
): Tensor => {
  const [batch = 0] = dy.shape
  const [all = 0, inputs = 0] = weight.shape
  const outputs = all / groups
  const [down, across] = [eighths(height), eighths(width)]
  const tiles = down * across
  const seen = bothSides(INPUT, tilesOf(dy, [down, across], { before: [0, 0], side: 5 }))
  const points = permute(seen.share([25, tiles, batch, groups, outputs]), [0, 3, 4, 1, 2])
  const windows = permute(weight.share([groups, outputs, inputs, 3, 3]), [3, 4, 0, 2, 1])
  const back = (taps: Taps) => WEIGHTS[taps].map(row => row.toReversed())
  const planes = phases.map(([rows, columns]) => {
    const kernels = bothSides(back(rows), windows, back(columns)).share([25 * groups, inputs, outputs])
    const products = matmulTransposed(kernels, points.share([25 * groups, outputs, tiles * batch]), {})
    return bothSides(OUTPUT, products.share([5, 5, groups * inputs * tiles * batch])).share([
      1,
      (products.size * 16) / 25,
    ])
  })
  const apart = join(planes, 0).share([2, 2, 4, 4, groups * inputs, down, across, batch])
  const whole = permute(apart, [7, 4, 5, 2, 0, 6, 3, 1]).share([batch, groups * inputs, 8 * down, 8 * across])
  return slice(slice(whole, 2, 0, height), 3, 0, width)
}

/** The gradient of the weight. */
export const halvedWeightGradient = (dy: Tensor, x: Tensor, groups: number): Tensor => {
  const [batch = 0, all = 0] = dy.shape
  const [, channels = 0, height = 0, width = 0] = x.shape
  const [inputs, outputs] = [channels / groups, all / groups]
  const count = [eighths(height), eighths(width)] as const
  const tiles = batch * count[0] * count[1]
  const cotangents = bothSides(turned(OUTPUT), tilesOf(dy, count, { before: [0, 0], side: 4 }))
  const left = permute(cotangents.share([25, tiles, groups, outputs]), [0, 2, 3, 1]).share([
    25 * groups,
    outputs,
    tiles,
  ])
  const windows = phases.map(phase => {
    const [rows, columns] = phase
    const seen = permute(seenBy(x, count, phase).share([25, tiles, groups, inputs]), [0, 2, 1, 3])
    const products = matmulTransposed(left, seen.share([25 * groups, tiles, inputs]), {})
    return bothSides(turned(WEIGHTS[columns]), products.share([5, 5, all * inputs]), turned(WEIGHTS[rows]))
  })
  return permute(windows.reduce(add), [2, 0, 1]).share([all, inputs, 3, 3])
}
