import {
  cosineSchedule,
  flowSchedule,
  linearSchedule,
  type NoiseSchedule,
  sigmoidSchedule,
} from '../../operators/diffusion/index.ts'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'

const schedules = {
  cosine: cosineSchedule,
  flow: flowSchedule,
  linear: linearSchedule,
  sigmoid: sigmoidSchedule,
} as const

/** The noise schedule of a configuration. */
export const scheduleOf = ({ beta_schedule, num_train_timesteps }: DenoisingConfig): NoiseSchedule =>
  schedules[beta_schedule](num_train_timesteps)
