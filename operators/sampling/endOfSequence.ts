import { type StopRule, stopWhen } from './stop.ts'

/** Stops after any of these tokens. */
export const endOfSequence = (ids: Iterable<number>): StopRule<null> => {
  const ends = new Set(ids)
  return stopWhen(({ token }) => ends.has(token))
}
