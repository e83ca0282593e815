/** The laws of diffusion, X1-X10, as predicates over schedules, conversions, samplers and guidance, so that a wrong one can be shown to fail. */
import type { Denoiser, Predict } from '../../operators/diffusion/denoiser.ts'
import type { Level } from '../../operators/diffusion/level.ts'
import type { Parametrization } from '../../operators/diffusion/parametrization.ts'
import type { Posterior } from '../../operators/diffusion/posterior.ts'
import type { Transition } from '../../operators/diffusion/qSample.ts'
import type { Sampler } from '../../operators/diffusion/sampler/sampler.ts'
import { add, scalar, scale } from '../../src/kernel/binary.ts'
import { fold, type Key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor } from '../../src/tensor/tensor.ts'

const near = (x: number, y: number, tolerance: number): boolean =>
  Math.abs(x - y) <= tolerance * (1 + Math.max(Math.abs(x), Math.abs(y)))
const nearAll = (x: Tensor, y: Tensor, tolerance: number): boolean => {
  const other = readNow(y)
  return x.size === y.size && readNow(x).every((a, i) => near(a, other[i] ?? Number.NaN, tolerance))
}
const squares = (x: Tensor): number => Float64Array.from(readNow(x)).reduce((sum, a) => sum + a * a, 0)

/** Runs a sampler down these levels. */
export const descend = (sampler: Sampler, denoiser: Denoiser, x: Tensor, levels: readonly Level[], key: Key): Tensor =>
  scope(() => {
    let [sample, memory] = [x, sampler.init()]
    for (let i = 0; i + 1 < levels.length; i++) {
      const [from, to] = [levels[i], levels[i + 1]]
      if (from === undefined || to === undefined) break
      const held = { sample, memory }
      const [moved, next] = scope(() =>
        sampler.step(held.memory, { x: held.sample, from, to, key: fold(key, i), denoiser }),
      )
      sample = moved.sample
      memory = next
    }
    return sample
  })

export const X1 = {
  id: 'X1',
  name: 'variance preserving: alpha² + sigma² = 1, alpha² strictly decreasing in (0, 1), so SNR too',
  /** From the least noisy level up. */
  holds: (levels: readonly Level[]): boolean =>
    levels.every(({ alpha, sigma }, t) => {
      const before = levels[t - 1]?.alpha ?? 1
      return near(alpha ** 2 + sigma ** 2, 1, 1e-12) && alpha > 0 && alpha < before
    }),
}

export const X2 = {
  id: 'X2',
  name: 'closed form: steps composed have mean alpha_t and variance sigma_t²',
  /** From the least noisy level up. */
  holds: (levels: readonly Level[], transition: (from: Level, to: Level) => Transition): boolean => {
    let [mean, variance] = [levels[0]?.alpha ?? 0, (levels[0]?.sigma ?? 0) ** 2]
    for (let t = 1; t < levels.length; t++) {
      const [from, to] = [levels[t - 1], levels[t]]
      if (from === undefined || to === undefined) return false
      const step = transition(from, to)
      mean *= step.scale
      variance = step.scale ** 2 * variance + step.variance
      if (!near(mean, to.alpha, 1e-12) || !near(variance, to.sigma ** 2, 1e-12)) return false
    }
    return levels.length > 1
  },
}

export const X3 = {
  id: 'X3',
  name: 'posterior: averaged over q(x_s | x0) it is q(x_t | x0), and the step to clean data has no spread',
  holds: (from: Level, to: Level, posterior: (from: Level, to: Level) => Posterior): boolean => {
    const { x0, x, variance } = posterior(from, to)
    const mean = x0 + x * from.alpha
    const spread = x ** 2 * from.sigma ** 2 + variance
    return near(mean, to.alpha, 1e-12) && near(spread, to.sigma ** 2, 1e-12) && (to.sigma > 0 || variance === 0)
  },
}

type Convert = (from: Parametrization, to: Parametrization, x: Tensor, prediction: Tensor, at: Level) => Tensor

export const X4 = {
  id: 'X4',
  name: 'parametrizations: (x0, ε) to (x, v) is a rotation, and every conversion inverts',
  rotates: (x0: Tensor, noise: Tensor, x: Tensor, v: Tensor): boolean =>
    near(squares(x0) + squares(noise), squares(x) + squares(v), 1e-9),
  inverts: (
    convert: Convert,
    from: Parametrization,
    to: Parametrization,
    x: Tensor,
    prediction: Tensor,
    at: Level,
  ): boolean => nearAll(convert(to, from, x, convert(from, to, x, prediction, at), at), prediction, 1e-9),
}

export const X5 = {
  id: 'X5',
  name: 'x0 comes back from a sample and its own noise, in any parametrization',
  holds: (x0: Tensor, recovered: Tensor): boolean => nearAll(recovered, x0, 1e-9),
}

export const X6 = {
  id: 'X6',
  name: 'DDIM: an oracle lands on x0 over any levels, steps compose, and eta scales the spread',
  lands: (sampler: Sampler, oracle: Denoiser, x: Tensor, levels: readonly Level[], x0: Tensor, key: Key): boolean =>
    nearAll(descend(sampler, oracle, x, levels, key), x0, 1e-9),
  composes: (sampler: Sampler, fixed: Denoiser, x: Tensor, levels: readonly Level[], key: Key): boolean => {
    const ends = [levels[0], levels.at(-1)].filter(level => level !== undefined)
    return nearAll(descend(sampler, fixed, x, levels, key), descend(sampler, fixed, x, ends, key), 1e-9)
  },
  /** The spread of one step's samples under many keys' noise, whose own second moment is `moment`. */
  spreads: (samples: Tensor, mean: Tensor, moment: number, variance: number): boolean =>
    near(squares(add(samples, scale(mean, -1))) / samples.size / moment, variance, 1e-6),
}

export const X7 = {
  id: 'X7',
  name: 'Gaussian data: the analytic denoiser gives back mean and variance',
  /** Within four standard errors of the sample, plus what so many steps leave. */
  holds: (sample: Tensor, mean: number, deviation: number, discretization = 0): boolean => {
    const x = Float64Array.from(readNow(sample))
    const n = x.length
    const average = x.reduce((sum, a) => sum + a, 0) / n
    const variance = x.reduce((sum, a) => sum + (a - average) ** 2, 0) / (n - 1)
    const standardError = deviation / Math.sqrt(n)
    return (
      Math.abs(average - mean) <= 4 * standardError + discretization * deviation &&
      Math.abs(variance / deviation ** 2 - 1) <= 4 * Math.sqrt(2 / n) + discretization
    )
  },
}

type Guide = (conditional: Predict, unconditional: Predict, weight: number) => Predict

export const X8 = {
  id: 'X8',
  name: 'guidance: 0 is unconditional, 1 conditional, affine in the weight',
  holds: (guide: Guide, conditional: Predict, unconditional: Predict, x: Tensor, at: Level, w: number): boolean => {
    const guided = (weight: number) => guide(conditional, unconditional, weight)(x, at)
    const affine = add(scale(guided(0), 1 - w), scale(guided(1), w))
    return (
      nearAll(guided(0), unconditional(x, at), 1e-12) &&
      nearAll(guided(1), conditional(x, at), 1e-12) &&
      nearAll(guided(w), affine, 1e-9)
    )
  },
}

export const X9 = {
  id: 'X9',
  name: 'latent diffusion is conjugation: with an orthonormal autoencoder it is diffusion of pictures; KL >= 0, and 0 at N(0, 1) alone',
  /** What sampling latents and decoding gives, and what sampling pictures gives. */
  conjugates: (latent: Tensor, pictures: Tensor): boolean => nearAll(latent, pictures, 1e-9),
  /** decode ∘ encode at a scaling factor. */
  inverts: (x: Tensor, encode: (x: Tensor) => Tensor, decode: (z: Tensor) => Tensor): boolean =>
    nearAll(decode(encode(x)), x, 1e-9),
  /** Of a Gaussian, and whether that is N(0, 1). */
  diverges: (divergence: number, standard: boolean): boolean =>
    standard ? Math.abs(divergence) < 1e-12 : divergence > 0,
}

export const X10 = {
  id: 'X10',
  name: 'time embedding: different times have different rows',
  /** No two rows closer than `apart`. */
  holds: (embedding: Tensor, apart = 1e-3): boolean => {
    const [rows = 0, width = 0] = embedding.shape
    const values = readNow(embedding)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < i; j++) {
        let distance = 0
        for (let k = 0; k < width; k++)
          distance = Math.max(distance, Math.abs((values[i * width + k] ?? 0) - (values[j * width + k] ?? 0)))
        if (distance < apart) return false
      }
    return true
  },
}

/** E[x0 | x] and the noise with it, for data N(mean, deviation²). */
export const gaussianDenoiser =
  (mean: number, deviation: number): Denoiser =>
  (x, { alpha, sigma }) =>
    scope(() => {
      const gain = (alpha * deviation ** 2) / ((alpha * deviation) ** 2 + sigma ** 2)
      const x0 = add(scale(x, gain), scalar(x, mean * (1 - gain * alpha)))
      const noise = scale(add(x, scale(x0, -alpha)), 1 / sigma)
      return { x0, noise, fraction: null }
    })
