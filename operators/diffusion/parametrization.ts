/**
 * What a network predicts. At a level x = alpha x0 + sigma ε, each kind is another combination p = c₀ x0 + c₁ ε of the same two:
 *
 *   kind       c₀       c₁         source
 *   epsilon    0        1          Ho et al., arXiv 2006.11239
 *   x0         1        0
 *   v          -sigma   alpha      Salimans & Ho, arXiv 2202.00512, appendix D
 *   score      0        -1/sigma   ∇ log q(x), Song et al., arXiv 2011.13456
 *   velocity   -1       1          dx/dt of a rectified flow, Liu et al., arXiv 2209.03003
 *
 * so x and p give x0 = (c₁ x - sigma p) / D, ε = (alpha p - c₀ x) / D with D = alpha c₁ - sigma c₀, and with them every other kind. On a
 * variance-preserving path (x, v) is (x0, ε) turned by an angle. Laws X4, X5.
 */
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { combine, type Levels, ofEach } from './combine.ts'
import type { Level } from './level.ts'

export type Parametrization = 'epsilon' | 'x0' | 'v' | 'score' | 'velocity'

const weights: Readonly<Record<Parametrization, (at: Level) => readonly [x0: number, noise: number]>> = {
  epsilon: () => [0, 1],
  x0: () => [1, 0],
  v: ({ alpha, sigma }) => [-sigma, alpha],
  score: ({ sigma }) => [0, -1 / sigma],
  velocity: () => [-1, 1],
}

/** What x0 and ε count in a prediction, and how far apart the prediction and x point: 0 where it says nothing about x0. */
export const weightsOf = (kind: Parametrization, at: Level) => {
  const [x0, noise] = weights[kind](at)
  return { x0, noise, determinant: at.alpha * noise - at.sigma * x0 }
}

/** What a perfect model would predict: the target of training. */
export const targetOf = (kind: Parametrization, x0: Tensor, noise: Tensor, at: Levels): Tensor =>
  combine(
    [ofEach(at, level => weightsOf(kind, level).x0), x0],
    [ofEach(at, level => weightsOf(kind, level).noise), noise],
  )

/** x0 and ε from a sample and a prediction. */
export const separate = (
  kind: Parametrization,
  x: Tensor,
  prediction: Tensor,
  at: Levels,
): { readonly x0: Tensor; readonly noise: Tensor } => {
  const part = (numerator: (level: Level, weight: ReturnType<typeof weightsOf>) => number) =>
    ofEach(at, level => {
      const weight = weightsOf(kind, level)
      const factor = numerator(level, weight) / weight.determinant
      if (Number.isFinite(factor)) return factor
      throw new RangeError(`a prediction of ${kind} does not give x0 at alpha ${level.alpha}, sigma ${level.sigma}`)
    })
  return {
    x0: combine([part((_, weight) => weight.noise), x], [part(level => -level.sigma), prediction]),
    noise: combine([part(level => level.alpha), prediction], [part((_, weight) => -weight.x0), x]),
  }
}

/** The same prediction in another kind. */
export const convert = (
  from: Parametrization,
  to: Parametrization,
  x: Tensor,
  prediction: Tensor,
  at: Levels,
): Tensor =>
  scope(() => {
    const estimate = separate(from, x, prediction, at)
    return targetOf(to, estimate.x0, estimate.noise, at)
  })
