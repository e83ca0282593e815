/**
 * Keeps the nucleus: the shortest run of most probable tokens whose probabilities sum to at least p, the token that crosses p
 * included, ties by lower id. p = 1 is the identity (law G1); the support grows with p (law G2).
 *
 * Source: Holtzman et al., arXiv 1904.09751, equation 3.
 */
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveFraction } from '../../src/codec/fields.ts'
import { keepBest } from './keepBest.ts'
import { type Processor, unchanged } from './processor.ts'
import { largest, totalWeight, weight } from './weight.ts'

/** Keeps the bound below clear of rounding. */
const SLACK = 1 / 2

export const topP = (p: number): Processor => {
  decodeOrThrow(positiveFraction, p, 'topP')
  if (p === 1) return unchanged
  return logits => {
    const max = largest(logits)
    const total = totalWeight(logits, max)
    // Tokens of weight below (1 - p) total / V weigh less than (1 - p) total together: the others reach p without them.
    const least = max + Math.log((SLACK * (1 - p) * total) / logits.length)
    return keepBest(logits, logit => weight(logit, max), p * total, least)
  }
}
