import { decodeOrThrow } from '../../src/codec/decode.ts'
import { fraction } from '../../src/codec/fields.ts'
import { type Processor, unchanged } from './processor.ts'
import { largest } from './weight.ts'

/**
 * Keeps tokens at least p times as probable as the most probable one: l ≥ max l + log p (Nguyen et al., arXiv 2407.01082).
 * p = 0 is the identity (law G1); the support shrinks as p grows (law G2).
 */
export const minP = (p: number): Processor => {
  decodeOrThrow(fraction, p, 'minP')
  if (p === 0) return unchanged
  return logits => {
    const threshold = largest(logits) + Math.log(p)
    for (let i = 0; i < logits.length; i++) if (logits[i] < threshold) logits[i] = -Infinity
    return logits
  }
}
