import { type NoiseSchedule, noiseSchedule } from './noiseSchedule.ts'

/** β from `first` to `last` in equal steps (Ho et al., arXiv 2006.11239, section 4: 1000 steps, 1e-4 to 0.02). Law X1. */
export const linearSchedule = (steps = 1000, first = 1e-4, last = 0.02): NoiseSchedule =>
  noiseSchedule(
    Float64Array.from({ length: steps }, (_, t) => (steps === 1 ? first : first + ((last - first) * t) / (steps - 1))),
  )
