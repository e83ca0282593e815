/**
 * Samplers as machines: a step takes samples from one level to the next. They meet a model only through a `Denoiser`, their tensors stay on its engine, and
 * their coefficients are host numbers in f64. All remember the same kind of thing, so one can take over from another half-way.
 */
import type { Machine } from '../../../src/machine.ts'
import type { Key } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import type { Denoiser } from '../denoiser.ts'
import type { Level } from '../level.ts'

export interface Move {
  readonly x: Tensor
  readonly from: Level
  readonly to: Level
  /** All that is random in this step is drawn from it. */
  readonly key: Key
  readonly denoiser: Denoiser
}

export interface Moved {
  /** At the level `to`. */
  readonly sample: Tensor
  readonly predictedX0: Tensor
}

/** Estimates of earlier steps, latest first: what a multistep solver extrapolates from. One-step samplers keep none. */
export type Memory = readonly { readonly at: Level; readonly x0: Tensor }[]

export type Sampler = Machine<Memory, Move, Moved>

/** A sampler without memory. */
export const oneStep = (step: (move: Move) => Moved): Sampler => ({
  init: () => [],
  step: (_, move) => [scope(() => step(move)), []],
})
