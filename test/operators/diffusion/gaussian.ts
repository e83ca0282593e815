/**
 * How exactly samplers carry Gaussian data N(mean, deviation²) from one level to another, by the analytic denoiser in f64. All is affine in x, so nothing has to
 * be sampled: the exact flow takes x to mean alpha' + (x - mean alpha) s'/s with s² = alpha² deviation² + sigma², and two points tell an ODE solver's whole
 * error; of a sampler that draws noise the mean and variance follow step by step, its error being theirs (weak order).
 */
import { clean, type Level } from '../../../operators/diffusion/level.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { type Key, key, normal } from '../../../src/random.ts'
import { readNow, tensor } from '../../../src/tensor/tensor.ts'
import { descend, gaussianDenoiser } from '../../laws/diffusion.ts'

const MEAN = 0.7
const DEVIATION = 0.5

/** Levels of u from 0 (noise) to 1, ending before the data: the last step to sigma 0 is Euler's for every solver. */
const paths = {
  /** Karras' sigmas from 10 to 0.05. */
  exploding: (u: number): Level => {
    const sigma = (10 ** (1 / 7) + u * (0.05 ** (1 / 7) - 10 ** (1 / 7))) ** 7
    return { time: sigma, alpha: 1, sigma }
  },
  /** The score SDE's variance-preserving path, β from 0.1 to 20 (arXiv 2011.13456, C), equally spaced in t. */
  preserving: (u: number): Level => {
    const time = 1 - 0.98 * u
    const alpha = Math.exp(-0.25 * time * time * 19.9 - 0.05 * time)
    return { time, alpha, sigma: Math.sqrt(1 - alpha * alpha) }
  },
  flow: (u: number): Level => {
    const time = 0.98 - 0.93 * u
    return { time, alpha: 1 - time, sigma: time }
  },
} as const

export type PathName = keyof typeof paths

const spreadOf = ({ alpha, sigma }: Level): number => Math.hypot(alpha * DEVIATION, sigma)

export interface Sharpness {
  readonly steps: number
  readonly error: number
}

const levelsOf = (path: PathName, steps: number): readonly [from: Level, to: Level, levels: readonly Level[]] => {
  const levels = Array.from({ length: steps + 1 }, (_, i) => paths[path](i / steps))
  return [levels[0] ?? clean, levels.at(-1) ?? clean, levels]
}

/** The error of a deterministic sampler after n steps for each n: of two points one deviation from the mean, root mean square. */
export const sharpness = (sampler: Sampler, path: PathName, counts: readonly number[]): Sharpness[] => {
  const engine = referenceEngine()
  return counts.map(steps => {
    const [first, last, levels] = levelsOf(path, steps)
    const starts = [-1, 1].map(side => first.alpha * MEAN + side * spreadOf(first))
    const x = descend(sampler, gaussianDenoiser(MEAN, DEVIATION), tensor(engine, [2], starts), levels, key(0))
    const found = readNow(x)
    const errors = [-1, 1].map((side, i) => (found[i] ?? Number.NaN) - (last.alpha * MEAN + side * spreadOf(last)))
    return { steps, error: Math.hypot(...errors) / Math.SQRT2 }
  })
}

/** x -> scale x + shift + spread z of one step of a sampler that draws its noise z from the step's own key: solved from four numbers. */
const affine = (sampler: Sampler, from: Level, to: Level, k: Key) => {
  const x = tensor(referenceEngine(), [4], [0, 0, 1, 1])
  const move = { x, from, to, key: k, denoiser: gaussianDenoiser(MEAN, DEVIATION) }
  const [a = 0, b = 0, c = 0] = readNow(sampler.step(sampler.init(), move)[0].sample)
  const [y = 0, z = 0, w = 0] = normal(k, 4)
  const spread = (a - b) / (y - z)
  const shift = a - spread * y
  return { scale: c - spread * w - shift, shift, spread }
}

/** The same measure of a sampler that draws noise and remembers nothing: the error of its mean, and of its deviation, after n steps. */
export const weakSharpness = (sampler: Sampler, path: PathName, counts: readonly number[]): Sharpness[] =>
  counts.map(steps => {
    const [first, last, levels] = levelsOf(path, steps)
    let [mean, variance] = [first.alpha * MEAN, spreadOf(first) ** 2]
    for (const [i, to] of levels.slice(1).entries()) {
      const { scale, shift, spread } = affine(sampler, levels[i] ?? first, to, key(i))
      mean = scale * mean + shift
      variance = scale ** 2 * variance + spread ** 2
    }
    return { steps, error: Math.hypot(mean - last.alpha * MEAN, Math.sqrt(variance) - spreadOf(last)) }
  })

/** The slope of log error over log steps, between the two finest. */
export const orderOf = (points: readonly Sharpness[]): number => {
  const [coarse, fine] = points.slice(-2)
  if (coarse === undefined || fine === undefined) throw new RangeError('an order takes two step counts')
  return Math.log(coarse.error / fine.error) / Math.log(fine.steps / coarse.steps)
}
