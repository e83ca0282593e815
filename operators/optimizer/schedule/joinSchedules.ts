import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { naturalNumber } from '../../../src/codec/fields.ts'
import type { Schedule } from './schedule.ts'

export interface Piece {
  readonly schedule: Schedule
  /** How many steps it lasts. */
  readonly steps: number
}

/** Schedules one after another, each counting from its own first step; `last` has no end. Law O6. */
export const joinSchedules = (pieces: readonly Piece[], last: Schedule): Schedule => {
  for (const [i, { steps }] of pieces.entries()) decodeOrThrow(naturalNumber, steps, `joinSchedules: piece ${i}: steps`)
  return step => {
    let start = 0
    for (const { schedule, steps } of pieces) {
      if (step < start + steps) return schedule(step - start)
      start += steps
    }
    return last(step - start)
  }
}
