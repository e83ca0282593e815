import { bufferCount, identity, type MonoTypeOperatorFunction, map, pipe } from 'rxjs'
import type { Named } from '../src/context.ts'
import { add, scale } from '../src/kernel/binary.ts'
import { concat } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import type { Tensor } from '../src/tensor/tensor.ts'
import type { Gradient } from './trainer.ts'

/** The mean of gradients of equally large batches: that of the joined batch (law D9). */
export const meanGradient = (gradients: readonly Gradient[]): Gradient =>
  scope(() => {
    const [first, ...rest] = gradients
    if (first === undefined) throw new RangeError('the mean of no gradients')
    const sum = rest.reduce((x, y) => ({ loss: add(x.loss, y.loss), gradient: concat(x.gradient, y.gradient) }), first)
    const mean = (x: Tensor): Tensor => scale(x, 1 / gradients.length)
    const gradient: Named = Object.fromEntries(Object.entries(sum.gradient).map(([path, x]) => [path, mean(x)]))
    return { loss: scale(sum.loss, 1 / gradients.length), gradient }
  })

/** Gradient accumulation as a stream operator: the mean of every `count` gradients. Its source must keep `count - 1`. */
export const accumulateGradients = (count: number): MonoTypeOperatorFunction<Gradient> =>
  count === 1 ? identity : pipe(bufferCount<Gradient>(count), map(meanGradient))
