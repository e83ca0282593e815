import type { Schedule } from './schedule.ts'

/** The same value at every step. */
export const constant =
  (value: number): Schedule =>
  () =>
    value
