import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveInteger } from '../../src/codec/fields.ts'
import { keepBest } from './keepBest.ts'
import type { Processor } from './processor.ts'

/**
 * Keeps exactly the k most probable tokens, ties by lower id (Fan, Lewis & Dauphin, arXiv 1805.04833). k ≥ V is the identity
 * (law G1); the support grows with k, and k = 1 is greedy (law G2).
 */
export const topK = (k: number): Processor => {
  decodeOrThrow(positiveInteger, k, 'topK')
  return logits => (k >= logits.length ? logits : keepBest(logits, () => 1, k))
}
