/** Unnormalised probabilities of logits, e^(l - max): never overflow, and 0 for removed tokens (law A1). */
import type { HostData } from '../../src/engine/engine.ts'
import { NumericError } from '../../src/errors.ts'
import { expNegative } from './expNegative.ts'

/** The largest logit; NaN logits and logits that are all -Infinity are a NumericError. */
export const largest = (logits: HostData): number => {
  let max = -Infinity
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]
    if (logit > max) max = logit
    else if (Number.isNaN(logit)) throw new NumericError(`logits: expected numbers, found NaN for token ${i}`)
  }
  if (max === -Infinity)
    throw new NumericError(`logits: expected at least one token of ${logits.length} to be possible, found none`)
  return max
}

/** e^(l - max); the largest logit weighs 1 even where it is infinite. */
export const weight = (logit: number, max: number): number => (logit === max ? 1 : expNegative(logit - max))

/** The sum of all weights, in order of ids. */
export const totalWeight = (logits: HostData, max: number): number => {
  let sum = 0
  for (let i = 0; i < logits.length; i++) sum += weight(logits[i], max)
  return sum
}

/** What a softmax needs to know of all logits. */
export interface Mass {
  readonly max: number
  readonly total: number
}

export const massOf = (logits: HostData): Mass => {
  const max = largest(logits)
  return { max, total: totalWeight(logits, max) }
}
