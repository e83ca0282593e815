import type { Window } from '../engine/window.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import type { Shape, Tensor } from '../tensor/tensor.ts'
import { isPositive } from './axis.ts'
import { full } from './fill.ts'
import { gather } from './gather.ts'
import { permute } from './permute.ts'
import { concat } from './slice.ts'

/** The same number for height and width, or both. */
export type Pair = number | readonly [height: number, width: number]

export interface WindowOptions {
  /** Elements from one position of the window to the next: 1. */
  readonly stride?: Pair
  /** Elements added on each side of the plane: 0. */
  readonly padding?: Pair
  /** Elements from one of the window's to the next: 1. */
  readonly dilation?: Pair
}

export const pairOf = (value: Pair): readonly [number, number] => (typeof value === 'number' ? [value, value] : value)

const isNatural = (n: number): boolean => Number.isInteger(n) && n >= 0

/** Engines count places of a plane in 32 bits. */
const COUNTABLE = 2 ** 31

const places = (length: number, size: number, step: number, around: number, apart: number): number =>
  Math.floor((length + 2 * around - apart * (size - 1) - 1) / step) + 1

/**
 * A window over planes (…, height, width): each length becomes ⌊(length + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1.
 * Source: PyTorch, Conv2d.
 */
export const windowOf = (what: string, plane: Shape, kernel: Pair, options: WindowOptions): Window => {
  const { stride = 1, padding = 0, dilation = 1 } = options
  const [height, width] = plane.slice(-2)
  const [kernelHeight, kernelWidth] = pairOf(kernel)
  const [strideHeight, strideWidth] = pairOf(stride)
  const [paddingHeight, paddingWidth] = pairOf(padding)
  const [dilationHeight, dilationWidth] = pairOf(dilation)
  const down = isPositive(kernelHeight) && isPositive(strideHeight) && isPositive(dilationHeight)
  const across = isPositive(kernelWidth) && isPositive(strideWidth) && isPositive(dilationWidth)
  if (!down || !across || !isNatural(paddingHeight) || !isNatural(paddingWidth))
    throw new ShapeError(
      `${what}: kernel [${kernel}], stride [${stride}] and dilation [${dilation}] must be positive integers, padding [${padding}] at least 0`,
    )
  const padded = (height + 2 * paddingHeight) * (width + 2 * paddingWidth)
  if (Math.max(padded, strideHeight * strideWidth, dilationHeight * dilationWidth) >= COUNTABLE)
    throw new ShapeError(
      `${what}: [${height},${width}] with padding [${padding}], stride [${stride}] and dilation [${dilation}] has more than 2^31 places`,
    )
  const outHeight = places(height, kernelHeight, strideHeight, paddingHeight, dilationHeight)
  const outWidth = places(width, kernelWidth, strideWidth, paddingWidth, dilationWidth)
  if (outHeight < 1 || outWidth < 1)
    throw new ShapeError(
      `${what}: a window of [${kernel}] with dilation [${dilation}] does not fit [${height},${width}] with padding [${padding}]`,
    )
  return {
    height,
    width,
    outHeight,
    outWidth,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    paddingHeight,
    paddingWidth,
    dilationHeight,
    dilationWidth,
  }
}

/** For each element of the window and each of its positions, the element of the plane under it; height · width where there is none. */
export const elementsSeen = (w: Window): Int32Array =>
  table(w, w.outHeight, w.outWidth, (ky, kx, oy, ox) => {
    const y = oy * w.strideHeight + ky * w.dilationHeight - w.paddingHeight
    const x = ox * w.strideWidth + kx * w.dilationWidth - w.paddingWidth
    return y >= 0 && y < w.height && x >= 0 && x < w.width ? y * w.width + x : w.height * w.width
  })

/** The other way: for each element of the window and of the plane, the position that has one over the other; outHeight · outWidth: none. */
export const positionsSeeing = (w: Window): Int32Array =>
  table(w, w.height, w.width, (ky, kx, y, x) => {
    const oy = (y + w.paddingHeight - ky * w.dilationHeight) / w.strideHeight
    const ox = (x + w.paddingWidth - kx * w.dilationWidth) / w.strideWidth
    const there = oy >= 0 && oy < w.outHeight && oy % 1 === 0 && ox >= 0 && ox < w.outWidth && ox % 1 === 0
    return there ? oy * w.outWidth + ox : w.outHeight * w.outWidth
  })

const table = (
  { kernelHeight, kernelWidth }: Window,
  height: number,
  width: number,
  of: (ky: number, kx: number, y: number, x: number) => number,
): Int32Array => {
  const ids = new Int32Array(kernelHeight * kernelWidth * height * width)
  let i = 0
  for (let ky = 0; ky < kernelHeight; ky++)
    for (let kx = 0; kx < kernelWidth; kx++)
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) ids[i++] = of(ky, kx, y, x)
  return ids
}

/**
 * x (batch, channels, height, width) as (window, positions, batch · channels) by such a table, `outside` where there is no element: what a
 * convolution multiplies and a pool reduces.
 */
export const patches = (x: Tensor, ids: Int32Array, window: number, outside = 0): Tensor =>
  scope(() => {
    const [batch, channels, height, width] = x.shape
    const rows = permute(x, [2, 3, 0, 1]).share([height * width, batch * channels])
    const bordered = concat([rows, full(x.engine, [1, batch * channels], outside)], 0)
    return gather(bordered, { ids, shape: [window, ids.length / window] })
  })

/** Four axes: (batch, channels, height, width). */
export const expectPlanes = (what: string, x: Tensor): readonly [number, number, number, number] => {
  const [batch, channels, height, width] = x.shape
  if (x.shape.length !== 4)
    throw new ShapeError(`${what}: expected (batch, channels, height, width), found shape [${x.shape}]`)
  return [batch, channels, height, width]
}
