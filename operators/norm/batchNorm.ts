import { type Context, gradientsOf, onesInit, parameter, pathOf, zerosInit } from '../../src/context.ts'
import { expectShape } from '../../src/kernel/axis.ts'
import { add, multiply, scalar, scale, subtract } from '../../src/kernel/binary.ts'
import { full } from '../../src/kernel/fill.ts'
import { layerNorm, layerNormPullback } from '../../src/kernel/layerNorm.ts'
import { permute } from '../../src/kernel/permute.ts'
import { sum } from '../../src/kernel/reduce.ts'
import { square, unary } from '../../src/kernel/unary.ts'
import type { Pulled } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type Axes, sizeOf, type Tensor } from '../../src/tensor/tensor.ts'

export interface BatchNormOptions {
  /** Parameters are `<name>.weight` and `<name>.bias`, states `<name>.running_mean` and `<name>.running_var`, all a number a channel. */
  readonly name: string
  /** 1e-5 unless given, as PyTorch's. */
  readonly epsilon?: number
  /** The share of a batch's statistics in the running ones: 0.1. */
  readonly momentum?: number
}

/** x (batch, channels, …) as one row a channel. */
const channelRows = (x: Tensor): Tensor =>
  scope(() => {
    const [batch, channels, ...plane] = x.shape
    const positions = sizeOf(plane)
    return permute(x.share([batch, channels, positions]), [1, 0, 2]).share([channels, batch * positions])
  })

/** Rows back to the shape of x. */
const likeInput = <A extends Axes>(rows: Tensor, x: Tensor<A>): Tensor<A> =>
  scope(() => {
    const [batch, channels, ...plane] = x.shape
    return permute(rows.share([channels, batch, sizeOf(plane)]), [1, 0, 2]).share<A>(x.shape)
  })

/**
 * Normalises each channel of (batch, channels, …): with the batch's mean and biased variance while training, when the running statistics
 * r ← (1 - momentum) r + momentum · (mean, unbiased variance) go into the state; else with the running ones, from the state, from a
 * checkpoint's tensors of that name, or 0 and 1. Source: Ioffe & Szegedy, arXiv 1502.03167, as PyTorch's BatchNorm. Laws D3, D4, N3.
 */
export const batchNorm = ({ name, epsilon = 1e-5, momentum = 0.1 }: BatchNormOptions) => {
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  const [meanName, varianceName] = [`${name}.running_mean`, `${name}.running_var`]
  const running = (c: Context, key: string, x: Tensor, first: number): Tensor => {
    const path = pathOf(c, key)
    const found = c.state[path] ?? c.parameters[path]
    if (found !== undefined) expectShape(path, found.shape, x.shape.slice(1, 2))
    return found ?? full(x.engine, [x.shape[1]], first)
  }
  return <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const channels = x.shape[1]
    const column = [channels, 1]
    const weight = parameter(c, weightName, [channels], onesInit).share(column)
    const bias = parameter(c, biasName, [channels], zerosInit).share(column)
    const [runningMean, runningVariance] = [running(c, meanName, x, 0), running(c, varianceName, x, 1)]
    const affine = (normal: Tensor): Tensor<A> => scope(() => likeInput(add(multiply(normal, weight), bias), x))
    const gradients = (dRows: Tensor, normal: Tensor) => {
      const dWeight = sum(multiply(dRows, normal), 1).share([channels])
      return gradientsOf(c, [weightName, dWeight], [biasName, sum(dRows, 1).share([channels])])
    }
    const rows = channelRows(x)
    if (!c.train) {
      const deviation = unary('reciprocalSqrt', add(runningVariance, scalar(x, epsilon))).share(column)
      const normal = multiply(subtract(rows, runningMean.share(column)), deviation)
      return {
        value: affine(normal),
        state: {},
        saved: [normal, deviation, weight],
        pullback: dy => {
          const dRows = channelRows(dy)
          return [gradients(dRows, normal), likeInput(multiply(dRows, multiply(weight, deviation)), x)]
        },
      }
    }
    const { value: normal, mean, deviation } = layerNorm(rows, null, null, epsilon)
    const count = rows.size / channels
    const state = scope(() => {
      const variance = subtract(unary('reciprocal', square(deviation)), scalar(x, epsilon)).share([channels])
      const blend = (old: Tensor, now: Tensor, factor: number): Tensor =>
        add(scale(old, 1 - momentum), scale(now, momentum * factor))
      return {
        [pathOf(c, meanName)]: blend(runningMean, mean.share([channels]), 1),
        [pathOf(c, varianceName)]: blend(runningVariance, variance, count / Math.max(count - 1, 1)),
      }
    })
    return {
      value: affine(normal),
      state,
      saved: [rows, normal, mean, deviation, weight],
      pullback: dy => {
        const dRows = channelRows(dy)
        const { dx } = layerNormPullback(multiply(dRows, weight), rows, null, false, { mean, deviation })
        return [gradients(dRows, normal), likeInput(dx, x)]
      },
    }
  }
}
