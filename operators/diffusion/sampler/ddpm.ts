/**
 * Ancestral sampling: x ← μ̃(x, x̂0) + √variance z, the reverse of the noising chain. The variance is the posterior's β̃ (the smaller bound), the
 * transition's β (the larger), or the model's own, log variance = f log β + (1 - f) log β̃ elementwise. No noise on the last step, nor on
 * one between equal levels.
 *
 * Source: Ho et al., arXiv 2006.11239, algorithm 2; Nichol & Dhariwal, arXiv 2102.09672, eq. 15. Between any two levels of any path. Law X7.
 */
import { add, multiply, scalar, scale } from '../../../src/kernel/binary.ts'
import { exp } from '../../../src/kernel/unary.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import { combine } from '../combine.ts'
import { noiseLike } from '../noise.ts'
import { posterior } from '../posterior.ts'
import { transition } from '../qSample.ts'
import { oneStep, type Sampler } from './sampler.ts'

export type Variance = 'posterior' | 'transition' | 'learned'

export const ddpm = ({ variance = 'posterior' }: { readonly variance?: Variance } = {}): Sampler =>
  oneStep(({ x, from, to, key, denoiser }) => {
    const { x0, fraction } = denoiser(x, from)
    const q = posterior(from, to)
    const mean = combine([q.x0, x0], [q.x, x])
    const above = transition(to, from).variance
    if (to.sigma === 0 || above === 0) return { sample: mean, predictedX0: x0 }
    const noise = noiseLike(x, key)
    if (variance !== 'learned') {
      const spread = Math.sqrt(variance === 'posterior' ? q.variance : above)
      return { sample: combine([1, mean], [spread, noise]), predictedX0: x0 }
    }
    if (fraction === null) throw new TypeError('ddpm: the model learns no variance')
    return { sample: add(mean, multiply(deviation(fraction, q.variance, above), noise)), predictedX0: x0 }
  })

/** exp(½ (f log above + (1 - f) log below)). */
const deviation = (fraction: Tensor, below: number, above: number): Tensor =>
  exp(add(scale(fraction, Math.log(above / below) / 2), scalar(fraction, Math.log(below) / 2)))
