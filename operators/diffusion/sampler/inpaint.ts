/**
 * Fills in what a mask leaves open: after each step the known part is put back at the step's level, x ← mask ⊙ q(known at to) + (1 - mask) ⊙ x. To make both
 * parts agree, each step is taken `repeats` times, noised back up between. Any sampler can do the steps.
 *
 * Source: Lugmayr et al. (RePaint), arXiv 2201.09865, algorithm 1. With mask 0 and one repeat it is the sampler itself.
 */
import { add, multiply, scalar, subtract } from '../../../src/kernel/binary.ts'
import { fold } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import { noiseLike } from '../noise.ts'
import { forwardStep, qSample } from '../qSample.ts'
import type { Sampler } from './sampler.ts'

export interface InpaintOptions {
  /** Data of the samples' shape; only read, and kept by the caller. */
  readonly known: Tensor
  /** 1 where `known` holds, 0 where it is to be made up; broadcast over the samples. */
  readonly mask: Tensor
  readonly repeats?: number
}

export const inpaint = (sampler: Sampler, { known, mask, repeats = 1 }: InpaintOptions): Sampler => ({
  init: sampler.init,
  step: (memory, move) =>
    scope(() => {
      const { from, to } = move
      // The last step needs no second try: nothing comes after it to agree with.
      const tries = to.sigma === 0 ? 1 : repeats
      let x = move.x
      for (let i = 0; ; i++) {
        const key = i === 0 ? move.key : fold(move.key, i)
        const [moved, next] = sampler.step(memory, { ...move, x, key })
        const { sample } = moved
        const noised = to.sigma === 0 ? known : qSample(known, noiseLike(sample, fold(key, 'known')), to)
        const joined = add(multiply(noised, mask), multiply(sample, subtract(scalar(mask, 1), mask)))
        if (i + 1 >= tries) return [{ ...moved, sample: joined }, next]
        x = forwardStep(joined, noiseLike(x, fold(key, 'back')), to, from)
      }
    }),
})
