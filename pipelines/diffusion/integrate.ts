import { defer, type Observable } from 'rxjs'
import {
  nextStep,
  type Slope,
  squaredErrorNorm,
  type Tolerance,
  type Trial,
  trialStep,
} from '../../operators/diffusion/flow/dormandPrince.ts'
import type { HostData } from '../../src/engine/engine.ts'
import { NumericError } from '../../src/errors.ts'
import type { Machine } from '../../src/machine.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Tensor } from '../../src/tensor/tensor.ts'
import { type Emission, feedback, type Pace } from '../../streams/index.ts'
import { both } from './denoise.ts'

export interface IntegrateOptions extends Partial<Tolerance>, Pace {
  /** dx/dt. */
  readonly slope: Slope
  /** Where x starts; called once a subscription. */
  readonly start: () => Tensor
  readonly from: number
  readonly to: number
  /** The first step tried, a hundredth of the way unless given. */
  readonly firstStep?: number
}

/** An accepted step. */
export interface Integrated {
  readonly t: number
  /** Evaluations of the slope so far, those of rejected steps included. */
  readonly evaluations: number
  readonly x: HostData
  /** dx/dt there. */
  readonly slope: HostData
}

/** A step to try; whether the one before was taken. */
interface Attempt {
  readonly t: number
  readonly h: number
  readonly accepted: boolean
}

interface DeviceState {
  readonly x: Tensor
  readonly slope: Tensor | null
  readonly trial: Trial | null
}

interface HostState {
  readonly t: number
  readonly h: number
  readonly evaluations: number
}

/** A trial's error, and where it led and how steep it is there if that is taken. */
type Judged = readonly [number, readonly [HostData, HostData] | null]

const STAGES = 6
/** Below this share of the way no step is worth taking. */
const LEAST = 1e-12

/**
 * Integrates an ODE with steps of adaptive size, as feedback: the device tries a step, its error is read, the host takes it or tries a smaller one. Emits each
 * accepted step; the last is at `to`. The whole batch shares its steps. A step that would have to vanish is a `NumericError`. Laws S8-S16 by `feedback`.
 */
export const integrate = ({
  slope,
  start,
  from,
  to,
  absolute = 1e-4,
  relative = 1e-4,
  firstStep = Math.abs(to - from) / 100,
  demand$,
  scheduler,
}: IntegrateOptions): Observable<Integrated> => {
  const way = to - from
  const direction = Math.sign(way)
  /** Not past the end, nor so near it that a crumb is left. */
  const fitted = (t: number, h: number): number => (Math.abs(h) * (1 + 1e-9) >= Math.abs(to - t) ? to - t : h)
  const device: Machine<DeviceState, Attempt, Trial & { readonly norm: Tensor }> = {
    init: () => ({ x: scope(start), slope: null, trial: null }),
    step: (state, { t, h, accepted }) => {
      const taken = accepted ? state.trial : null
      const x = taken?.x ?? state.x
      const begin = taken?.slope ?? state.slope ?? slope(x, t)
      const trial = trialStep(slope, x, begin, t, h)
      const norm = squaredErrorNorm(trial.error, x, trial.x, { absolute, relative })
      return [
        { ...trial, norm },
        { x, slope: begin, trial },
      ]
    },
  }
  const host: Machine<HostState, Judged, Emission<Integrated, Attempt>> = {
    init: () => ({ t: from, h: fitted(from, direction * firstStep), evaluations: 1 }),
    step: ({ t, h, evaluations: before }, [e, there]) => {
      const evaluations = before + STAGES
      const accepted = there !== null
      const at = accepted ? t + h : t
      const reached = accepted && h === to - t
      const next = fitted(at, nextStep(h, e))
      if (!reached && !(Math.abs(next) > LEAST * Math.abs(way)))
        throw new NumericError(`integrate: at t = ${at} the step shrank to ${next}; the slope is not smooth there`)
      const emit = accepted ? [{ t: reached ? to : at, evaluations, x: there[0], slope: there[1] }] : []
      return [
        { emit, next: reached ? null : { t: at, h: next, accepted } },
        { t: at, h: next, evaluations },
      ]
    },
  }
  return defer(() =>
    feedback({
      device,
      host,
      read: ({ norm, x, slope: d }): Judged | Promise<Judged> => {
        const judge = (squared: HostData): Judged | Promise<Judged> => {
          const e = Math.sqrt(squared[0] ?? Number.NaN)
          if (!(e <= 1)) return [Number.isFinite(e) ? e : Number.POSITIVE_INFINITY, null]
          const there = both(read(x), read(d))
          return there instanceof Promise ? there.then(values => [e, values]) : [e, there]
        }
        const squared = read(norm)
        return squared instanceof Promise ? squared.then(judge) : judge(squared)
      },
      first: { t: from, h: fitted(from, direction * firstStep), accepted: false },
      ...(demand$ === undefined ? {} : { demand$ }),
      ...(scheduler === undefined ? {} : { scheduler }),
    }),
  )
}
