/**
 * How exactly ODE solvers transport Gaussian data N(mean, deviation²): the exact flow takes x at one level to mean alpha' + (x - mean alpha) s'/s at another,
 * with s² = alpha² deviation² + sigma². All is affine in x, so two points tell the whole error.
 */
import { clean, type Level } from '../../../operators/diffusion/level.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { key } from '../../../src/random.ts'
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

/** The error after n steps for each n: of two points one deviation from the mean, root mean square. */
export const sharpness = (
  sampler: Sampler,
  path: PathName,
  counts: readonly number[],
): readonly { readonly steps: number; readonly error: number }[] => {
  const engine = referenceEngine()
  return counts.map(steps => {
    const levels = Array.from({ length: steps + 1 }, (_, i) => paths[path](i / steps))
    const [first = clean, last = clean] = [levels[0], levels.at(-1)]
    const starts = [-1, 1].map(side => first.alpha * MEAN + side * spreadOf(first))
    const x = descend(sampler, gaussianDenoiser(MEAN, DEVIATION), tensor(engine, [2], starts), levels, key(0))
    const found = readNow(x)
    const errors = [-1, 1].map((side, i) => (found[i] ?? Number.NaN) - (last.alpha * MEAN + side * spreadOf(last)))
    return { steps, error: Math.hypot(...errors) / Math.SQRT2 }
  })
}

/** The slope of log error over log steps, between the two finest. */
export const orderOf = (points: readonly { readonly steps: number; readonly error: number }[]): number => {
  const [coarse, fine] = points.slice(-2)
  if (coarse === undefined || fine === undefined) throw new RangeError('an order takes two step counts')
  return Math.log(coarse.error / fine.error) / Math.log(fine.steps / coarse.steps)
}
