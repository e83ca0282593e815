/**
 * One trial step of Dormand and Prince's method RK5(4)7M for dx/dt = f(t, x): the fifth-order result, its slope (the first stage of the next step), and how far
 * the embedded fourth-order one is from it. Six evaluations a step. The step's size is then chosen so that the error stays within a tolerance:
 *
 *   e = rms(error / (absolute + relative max(|x|, |x'|))),   accepted where e <= 1,   h ← h clamp(0.9 e^{-1/5}, 0.2, 10)
 *
 * Source: Dormand & Prince, J. Comp. Appl. Math. 6, 1980; Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I, II.4.
 */
import { add, binary, divide, scalar, scale } from '../../../src/kernel/binary.ts'
import { total } from '../../../src/kernel/reduce.ts'
import { square, unary } from '../../../src/kernel/unary.ts'
import { scope } from '../../../src/tensor/scope.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import { combine, type Term } from '../combine.ts'

/** dx/dt; only reads x. */
export type Slope = (x: Tensor, t: number) => Tensor

/** Where each stage lies, and what the slopes before it count. */
const STAGES: readonly (readonly [at: number, weights: readonly number[]])[] = [
  [1 / 5, [1 / 5]],
  [3 / 10, [3 / 40, 9 / 40]],
  [4 / 5, [44 / 45, -56 / 15, 32 / 9]],
  [8 / 9, [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]],
  [1, [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]],
  [1, [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]],
]
/** Fifth order less fourth. */
const ERROR = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40]

export interface Trial {
  readonly x: Tensor
  /** f at the end of the step. */
  readonly slope: Tensor
  readonly error: Tensor
}

export const trialStep = (f: Slope, x: Tensor, slope: Tensor, t: number, h: number): Trial =>
  scope(() => {
    const slopes = [slope]
    let end = x
    for (const [at, weights] of STAGES) {
      end = combine([1, x], ...weights.map((weight, i): Term => [h * weight, slopes[i]]))
      slopes.push(f(end, t + at * h))
    }
    const [first, ...others] = ERROR
    const error = combine([h * first, slope], ...others.map((weight, i): Term => [h * weight, slopes[i + 1]]))
    return { x: end, slope: slopes[STAGES.length], error }
  })

export interface Tolerance {
  readonly absolute: number
  readonly relative: number
}

/** e of the header squared, rank 0. */
export const squaredErrorNorm = (error: Tensor, x: Tensor, next: Tensor, { absolute, relative }: Tolerance): Tensor =>
  scope(() => {
    const size = binary('maximum', unary('abs', x), unary('abs', next))
    const allowed = add(scale(size, relative), scalar(x, absolute))
    return scale(total(square(divide(error, allowed))), 1 / x.size)
  })

/** The next step's size after an error e. */
export const nextStep = (h: number, e: number): number =>
  h * Math.min(10, Math.max(0.2, e === 0 ? 10 : 0.9 * e ** (-1 / 5)))
