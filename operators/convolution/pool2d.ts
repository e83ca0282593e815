import { scale } from '../../src/kernel/binary.ts'
import { maxPool, maxPoolPullback, type PoolOptions, spread, sumPool } from '../../src/kernel/pool.ts'
import { broadcastTo, sum } from '../../src/kernel/reduce.ts'
import { pairOf } from '../../src/kernel/window.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import type { Planes } from './planes.ts'

/** The largest element under each window; its gradient goes to the first of equals, as PyTorch's MaxPool2d. Laws D3, D4. */
export const maxPool2d =
  (options: PoolOptions): Operator<Planes, Planes> =>
  (_, x) => ({
    value: maxPool(x, options),
    state: {},
    saved: [x],
    pullback: dy => [{}, maxPoolPullback(dy, x, options)],
  })

/** The mean under each window, the padding's zeros counted, as PyTorch's AvgPool2d. Its adjoint spreads. Laws D3-D5. */
export const averagePool2d = (options: PoolOptions): Operator<Planes, Planes> => {
  const [height, width] = pairOf(options.window)
  const share = 1 / (height * width)
  return (_, x) => {
    const plane = [x.shape[2], x.shape[3]] as const
    return {
      value: sumPool(x, share, options),
      state: {},
      saved: [],
      pullback: dy => [{}, spread(dy, share, plane, options)],
    }
  }
}

/** The mean of each plane: (batch, channels, height, width) -> (batch, channels). Laws D3-D5. */
export const globalAveragePool: Operator<Planes, Tensor<readonly ['batch', 'channels']>> = (_, x) => {
  const [batch, channels, height, width] = x.shape
  const [flat, share] = [[batch, channels, height * width], 1 / (height * width)]
  return {
    value: scope(() => scale(sum(x.share(flat), 2), share).share([batch, channels])),
    state: {},
    saved: [],
    pullback: dy => [{}, scope(() => broadcastTo(scale(dy, share).share([batch, channels, 1, 1]), x.shape))],
  }
}
