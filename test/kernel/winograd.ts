/**
 * The convolution after Winograd, F(4 x 4, 3 x 3), from primitives: its bound on the rounding engine is that of the wasm engine's tiles
 * (assembly/winograd), and its values are the convolution's. Source: Lavin & Gray, arXiv 1509.09308, section 4.3.
 */
import { add } from '../../src/kernel/binary.ts'
import { gather } from '../../src/kernel/gather.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { permute } from '../../src/kernel/permute.ts'
import { concat, pad, slice } from '../../src/kernel/slice.ts'
import { elementsSeen, patches, windowOf } from '../../src/kernel/window.ts'
import { sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'

const INPUT: Matrix = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
]
const WEIGHT: Matrix = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
]
const OUTPUT: Matrix = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
]

/** Bᵀ and Aᵀ of the last tile of a side of 2 outputs and of 3: one of 3 has no point -2, one of 2 neither 2 nor -2; G stays. */
const LAST: readonly (readonly [input: Matrix, output: Matrix])[] = [
  [
    [
      [4, 0, -4, 0, 0, 0],
      [0, -3, -3, 0, 0, 0],
      [0, 3, -3, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [0, -1, 0, 1, 0, 0],
    ],
    [
      [1, 1, 1, 0, 0, 0],
      [0, 1, -1, 0, 0, 1],
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
    ],
  ],
  [
    [
      [4, -2, -4, 2, 0, 0],
      [0, -6, -3, 3, 0, 0],
      [0, 2, -3, 1, 0, 0],
      [0, -4, 0, 4, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [0, 2, -1, -2, 1, 0],
    ],
    [
      [1, 1, 1, 1, 0, 0],
      [0, 1, -1, 2, 0, 0],
      [0, 1, 1, 4, 0, 1],
      [0, 0, 0, 0, 0, 0],
    ],
  ],
]

interface Part {
  readonly first: number
  readonly count: number
  readonly input: Matrix
  readonly output: Matrix
}

/** Tiles of a side of `length` outputs: whole ones, then a shorter last one. */
const partsOf = (length: number): readonly Part[] => {
  const whole = Math.floor(length / 4)
  const [input, output] = LAST[Math.max(2, length % 4) - 2] ?? [INPUT, OUTPUT]
  const parts = [
    { first: 0, count: whole, input: INPUT, output: OUTPUT },
    { first: whole, count: Math.ceil(length / 4) - whole, input, output },
  ]
  return parts.filter(({ count }) => count > 0)
}

type Matrix = readonly (readonly number[])[]

/** M X Nᵀ, transposed, of each square X in x (n, n, …). */
export const bothSides = (down: Matrix, x: Tensor, across: Matrix = down): Tensor => {
  const [n = 0, , ...rest] = x.shape
  const times = (m: Matrix, y: Tensor, columns: number) =>
    matmulTransposed(tensor(x.engine, [m.length, n], m.flat()), y.share([n, columns * sizeOf(rest)]), {})
  const once = permute(times(down, x, n).share([down.length, n, sizeOf(rest)]), [1, 0, 2])
  return times(across, once, down.length).share([across.length, down.length, ...rest])
}

/** Tensors one behind the other. */
export const join = ([first, ...others]: readonly Tensor[], axis: number): Tensor => {
  if (first === undefined) throw new RangeError('nothing to join')
  return concat([first, ...others], axis)
}

export const turned = (matrix: Matrix): number[][] => (matrix[0] ?? []).map((_, j) => matrix.map(row => row[j] ?? 0))

export interface Tiles {
  /** Elements before x, by rows and by columns. */
  readonly before: readonly [number, number]
  readonly side: number
  /** Between two tiles, and between two elements of one. */
  readonly stride?: number
  readonly dilation?: number
}

/** `count` tiles of x (batch, channels, …) as (side, side, tiles · batch · channels). */
export const tilesOf = (
  x: Tensor,
  count: readonly [number, number],
  { before, side, stride = 4, dilation = 1 }: Tiles,
): Tensor => {
  const [batch = 0, channels = 0] = x.shape
  const length = (tiles: number) => stride * (tiles - 1) + dilation * (side - 1) + 1
  const bordered = pad(pad(x, 2, before[0], length(count[0])), 3, before[1], length(count[1]))
  const window = windowOf('tiles', bordered.shape, side, { stride, dilation })
  return patches(bordered, elementsSeen(window), side ** 2).share([side, side, count[0] * count[1] * batch * channels])
}

/** y (batch, outputs, …) of x (batch, inputs, …) and weight (outputs, inputs / groups, 3, 3), its window moved by 1. */
export const winogradConvolution = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  { groups, padding }: { readonly groups: number; readonly padding: readonly [number, number] },
): Tensor => {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape
  const [all = 0] = weight.shape
  const [inputs, outputs] = [channels / groups, all / groups]
  const [outHeight, outWidth] = [height + 2 * padding[0] - 2, width + 2 * padding[1] - 2]
  const [down, across] = [Math.ceil(outHeight / 4), Math.ceil(outWidth / 4)]
  const seen = tilesOf(x, [down, across], { before: padding, side: 6 })
  const kernels = bothSides(WEIGHT, permute(weight, [2, 3, 0, 1])).share([36 * groups, outputs, inputs])
  const tiles = seen.share([6, 6, down, across, batch * channels])
  const values = (rows: Part, columns: Part): Tensor => {
    const count = rows.count * columns.count
    const part = slice(slice(tiles, 2, rows.first, rows.count), 3, columns.first, columns.count)
    const points = permute(
      bothSides(rows.input, part, columns.input).share([36, count, batch, groups, inputs]),
      [0, 3, 4, 1, 2],
    )
    const products = matmulTransposed(kernels, points.share([36 * groups, inputs, count * batch]), {})
    const sums = bothSides(columns.output, products.share([6, 6, all * count * batch]), rows.output)
    const apart = permute(sums.share([4, 4, all, rows.count, columns.count, batch]), [5, 2, 3, 0, 4, 1])
    return apart.share([batch, all, 4 * rows.count, 4 * columns.count])
  }
  const lines = partsOf(outHeight).map(rows =>
    join(
      partsOf(outWidth).map(columns => values(rows, columns)),
      3,
    ),
  )
  const whole = join(lines, 2)
  const y = slice(slice(whole, 2, 0, outHeight), 3, 0, outWidth)
  return bias === null ? y : add(y, bias.share([all, 1, 1]))
}

/** The gradient of the input: the convolution of dy with each group's weight turned half around, inputs for outputs. */
export const winogradInputGradient = (
  dy: Tensor,
  weight: Tensor,
  { groups, padding }: { readonly groups: number; readonly padding: readonly [number, number] },
): Tensor => {
  const [all = 0, inputs = 0] = weight.shape
  const outputs = all / groups
  const rows = permute(weight.share([groups, outputs, inputs, 9]), [3, 0, 2, 1]).share([9, groups * inputs * outputs])
  const half = gather(rows, tokens([8, 7, 6, 5, 4, 3, 2, 1, 0])).share([9, groups * inputs, outputs])
  const back = permute(half, [1, 2, 0]).share([groups * inputs, outputs, 3, 3])
  return winogradConvolution(dy, back, null, { groups, padding: [2 - padding[0], 2 - padding[1]] })
}

/** The gradient of the weight: Gᵀ[Σ (A dy Aᵀ) ⊙ (Bᵀ x B)]G over the tiles of all images. */
export const winogradWeightGradient = (
  dy: Tensor,
  x: Tensor,
  { groups, padding }: { readonly groups: number; readonly padding: readonly [number, number] },
): Tensor => {
  const [batch = 0, all = 0, outHeight = 0, outWidth = 0] = dy.shape
  const [, channels = 0] = x.shape
  const [inputs, outputs] = [channels / groups, all / groups]
  const count = [Math.ceil(outHeight / 4), Math.ceil(outWidth / 4)] as const
  const seen = tilesOf(x, count, { before: padding, side: 6 }).share([6, 6, ...count, batch * channels])
  const given = tilesOf(dy, count, { before: [0, 0], side: 4 }).share([4, 4, ...count, batch * all])
  const sums = partsOf(outHeight).flatMap(rows =>
    partsOf(outWidth).map(columns => {
      const tiles = rows.count * columns.count * batch
      const part = (y: Tensor): Tensor => slice(slice(y, 2, rows.first, rows.count), 3, columns.first, columns.count)
      const wide = bothSides(rows.input, part(seen), columns.input).share([36, tiles, groups, inputs])
      const tall = bothSides(turned(rows.output), part(given), turned(columns.output)).share([
        36,
        tiles,
        groups,
        outputs,
      ])
      return matmulTransposed(
        permute(tall, [0, 2, 3, 1]).share([36 * groups, outputs, tiles]),
        permute(wide, [0, 2, 1, 3]).share([36 * groups, tiles, inputs]),
        {},
      )
    }),
  )
  const products = sums.reduce((x, y) => add(x, y))
  const windows = bothSides(turned(WEIGHT), products.share([6, 6, all * inputs]))
  return permute(windows, [2, 0, 1]).share([all, inputs, 3, 3])
}
