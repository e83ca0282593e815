/**
 * Which times of a long schedule a short sampling visits, descending (diffusers' names; Lin et al., arXiv 2305.08891, table 2), for T training steps:
 *
 *   leading    (n - 1) ⌊T/n⌋, …, ⌊T/n⌋, 0          linspace   n of the n + 1 times round((T - 1) i/n), i = n … 1
 *   trailing   round(T - i T/n) - 1, i = 0 … n - 1    every      T - 1, …, 0
 */
import { InputError } from '../../../src/errors.ts'
import { clean, type Level } from '../level.ts'
import { levelAt, type NoiseSchedule } from './noiseSchedule.ts'

export type Spacing = 'leading' | 'linspace' | 'trailing'

const timeAt: Readonly<Record<Spacing, (i: number, steps: number, all: number) => number>> = {
  leading: (i, steps, all) => (steps - 1 - i) * Math.floor(all / steps),
  linspace: (i, steps, all) => Math.round(((all - 1) * (steps - i)) / steps),
  trailing: (i, steps, all) => Math.round(all - (i * all) / steps) - 1,
}

export const spacedTimes = (all: number, steps: number, spacing: Spacing): number[] => {
  if (!Number.isInteger(steps) || steps < 1 || steps > all)
    throw new InputError(`steps: expected a whole number from 1 to ${all}, found ${steps}`)
  return Array.from({ length: steps }, (_, i) => timeAt[spacing](i, steps, all))
}

/** The levels that a sampling of `steps` steps walks down: steps + 1 of them, the last one `end`, without noise unless said. */
export const scheduleLevels = (
  schedule: NoiseSchedule,
  steps: number = schedule.betas.length,
  { spacing = 'leading', end = clean }: { readonly spacing?: Spacing; readonly end?: Level } = {},
): Level[] => [...spacedTimes(schedule.betas.length, steps, spacing).map(time => levelAt(schedule, time)), end]
