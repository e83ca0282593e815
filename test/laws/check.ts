/** Laws with a discrepancy as tape assertions: what went wrong, and where, is printed. */
import type { Test } from 'tape'
import type { Discrepancy } from './operator.ts'

/** Asserts that a law held: its largest error is within its tolerance. */
export const within = (t: Test, name: string, { ratio, at }: Discrepancy): void => {
  t.ok(ratio <= 1, ratio <= 1 ? name : `${name}: ${ratio.toPrecision(3)} times the tolerance at ${at}`)
}
