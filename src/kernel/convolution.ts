import type { ConvolutionSizes } from '../engine/window.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { empty, type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts'
import { expectShape, isPositive } from './axis.ts'
import { add } from './binary.ts'
import { launch } from './launch.ts'
import { matmulTransposed } from './matmul.ts'
import { permute } from './permute.ts'
import { sum } from './reduce.ts'
import { elementsSeen, expectPlanes, patches, positionsSeeing, type WindowOptions, windowOf } from './window.ts'

export type Planes = readonly ['batch', 'channels', 'height', 'width']
export type Kernels = readonly ['outputs', 'inputs', 'kernelHeight', 'kernelWidth']

export interface ConvolutionOptions extends WindowOptions {
  /** Channels fall into this many groups, each with its share of the outputs: 1. */
  readonly groups?: number
}

/** Sizes of a convolution over x (batch, channels, height, width) with weight (outputs, inputs, height, width), inputs = channels / groups. */
const sizesOf = (x: Shape, weight: Shape, options: ConvolutionOptions): ConvolutionSizes => {
  const { groups = 1 } = options
  const [batch, channels] = x
  const [all, inputs, kernelHeight, kernelWidth] = weight
  if (!isPositive(groups) || weight.length !== 4 || inputs * groups !== channels || all % groups !== 0)
    throw new ShapeError(
      `convolution: ${groups} groups of weight [${weight}] (outputs, inputs, height, width) do not fit planes [${x}]`,
    )
  const over = windowOf('convolution', x, [kernelHeight, kernelWidth], options)
  // The spread last: V8 puts fields behind one in one by one, which takes a microsecond.
  return { batch, groups, inputs, outputs: all / groups, ...over }
}

const outputShape = ({ batch, groups, outputs, outHeight, outWidth }: ConvolutionSizes): Shape => [
  batch,
  groups * outputs,
  outHeight,
  outWidth,
]

const flopsOf = ({
  batch,
  groups,
  inputs,
  outputs,
  outHeight,
  outWidth,
  kernelHeight,
  kernelWidth,
}: ConvolutionSizes) => 2 * batch * groups * inputs * outputs * outHeight * outWidth * kernelHeight * kernelWidth

/**
 * y[n, o, p] = Σ weight[o, i, k] x[n, i, p · stride + k · dilation - padding] + bias[o]: a cross-correlation over planes, as PyTorch's conv2d.
 * One image's numbers do not depend on the others. Pullback: the two kernels below. Laws D5 (its adjoint is the transposed convolution), K1.
 */
export const convolution = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvolutionOptions = {},
): Tensor<Planes> => {
  expectPlanes('convolution', x)
  const sizes = sizesOf(x.shape, weight.shape, options)
  if (bias !== null) expectShape('convolution bias', bias.shape, weight.shape.slice(0, 1))
  const override = x.engine.fused.convolution
  if (override === undefined)
    return scope(() => {
      const { batch, groups, outputs, outHeight, outWidth } = sizes
      const product = matmulTransposed(unfolded(x, sizes), byGroup(weight, sizes), { transposeY: true })
      const turned = permute(product.share([groups, batch, outHeight * outWidth, outputs]), [1, 0, 3, 2])
      const y = turned.share<Planes>(outputShape(sizes))
      return bias === null ? y : add(y, bias.share([groups * outputs, 1, 1]))
    })
  const y = empty<Planes>(x.engine, outputShape(sizes))
  launch(x.engine, flopsOf(sizes), x, weight, bias, y)
  override(y.storage, x.storage, weight.storage, bias?.storage ?? null, sizes)
  return y
}

/** x as (groups, batch · positions, inputs · window). */
const unfolded = (x: Tensor, { batch, groups, inputs, ...w }: ConvolutionSizes): Tensor =>
  scope(() => {
    const [window, positions] = [w.kernelHeight * w.kernelWidth, w.outHeight * w.outWidth]
    const seen = patches(x, elementsSeen(w), window).share([window, positions, batch, groups, inputs])
    return permute(seen, [3, 2, 1, 4, 0]).share([groups, batch * positions, inputs * window])
  })

const byGroup = (weight: Tensor, { groups, outputs, inputs, kernelHeight, kernelWidth }: ConvolutionSizes): Tensor =>
  weight.share([groups, outputs, inputs * kernelHeight * kernelWidth])

/**
 * dx[n, i, q] = Σ weight[o, i, k] dy[n, o, p] over q = p · stride + k · dilation - padding, for x of planes [height, width]: the adjoint in x, which
 * is the forward pass of a transposed convolution. A gather of dy, not a scatter. Adjoint: `convolution` without bias.
 */
export const convolutionInputGradient = (
  dy: Tensor,
  weight: Tensor,
  plane: readonly [height: number, width: number],
  options: ConvolutionOptions = {},
): Tensor<Planes> => {
  const [batch] = expectPlanes('convolutionInputGradient', dy)
  const shape = [batch, weight.shape[1] * (options.groups ?? 1), ...plane]
  const sizes = sizesOf(shape, weight.shape, options)
  expectShape('convolutionInputGradient', dy.shape, outputShape(sizes))
  const override = dy.engine.fused.convolutionInputGradient
  if (override === undefined)
    return scope(() => {
      const { groups, inputs, outputs, ...w } = sizes
      const [window, elements] = [w.kernelHeight * w.kernelWidth, w.height * w.width]
      const seen = patches(dy, positionsSeeing(w), window).share([window, elements, batch, groups, outputs])
      const rows = permute(seen, [3, 2, 1, 4, 0]).share([groups, batch * elements, outputs * window])
      const turned = permute(weight.share([groups, outputs, inputs, window]), [0, 1, 3, 2])
      const product = matmulTransposed(rows, turned.share([groups, outputs * window, inputs]), {})
      return permute(product.share([groups, batch, elements, inputs]), [1, 0, 3, 2]).share<Planes>(shape)
    })
  const dx = empty<Planes>(dy.engine, shape)
  launch(dy.engine, flopsOf(sizes), dy, weight, dx)
  override(dx.storage, dy.storage, weight.storage, sizes)
  return dx
}

/** dweight[o, i, k] = Σ dy[n, o, p] x[n, i, p · stride + k · dilation - padding] over all images and positions. */
export const convolutionWeightGradient = (
  dy: Tensor,
  x: Tensor,
  kernel: readonly [height: number, width: number],
  options: ConvolutionOptions = {},
): Tensor<Kernels> => {
  const [, channels] = expectPlanes('convolutionWeightGradient', x)
  const [, all] = expectPlanes('convolutionWeightGradient', dy)
  const shape = [all, channels / (options.groups ?? 1), ...kernel]
  const sizes = sizesOf(x.shape, shape, options)
  expectShape('convolutionWeightGradient', dy.shape, outputShape(sizes))
  const override = x.engine.fused.convolutionWeightGradient
  if (override === undefined)
    return scope(() => {
      const { batch, groups, outputs, outHeight, outWidth } = sizes
      const turned = permute(dy.share([batch, groups, outputs, outHeight * outWidth]), [1, 2, 0, 3])
      const rows = turned.share([groups, outputs, batch * outHeight * outWidth])
      return matmulTransposed(rows, unfolded(x, sizes), {}).share<Kernels>(shape)
    })
  const dWeight = empty<Kernels>(x.engine, shape)
  launch(x.engine, flopsOf(sizes), dy, x, dWeight)
  override(dWeight.storage, dy.storage, x.storage, sizes)
  return dWeight
}

/** dbias[o] = Σ dy[n, o, p] over all images and positions. */
export const channelSum = (dy: Tensor): Tensor =>
  scope(() => {
    const [batch, channels, ...plane] = dy.shape
    return sum(sum(dy.share([batch, channels, sizeOf(plane)]), 2).share([batch, channels]), 0).share([channels])
  })
