import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveInteger } from '../../src/codec/fields.ts'
import type { Processor } from './processor.ts'
import { Ranking } from './ranking.ts'

/**
 * Keeps exactly the k most probable tokens, ties by lower id (Fan, Lewis & Dauphin, arXiv 1805.04833). k ≥ V is the identity
 * (law G1); the support grows with k, and k = 1 is greedy (law G2).
 */
export const topK = (k: number): Processor => {
  decodeOrThrow(positiveInteger, k, 'topK')
  return logits => {
    if (k >= logits.length) return logits
    const ranking = new Ranking(logits)
    for (let kept = 0; kept < k && ranking.size > 0; kept++) ranking.next()
    ranking.removeRest()
    return logits
  }
}
