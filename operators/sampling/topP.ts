/**
 * Keeps the nucleus: the shortest run of most probable tokens whose probabilities sum to at least p, the token that crosses p
 * included, ties by lower id. p = 1 is the identity (law G1); the support grows with p (law G2).
 *
 * Source: Holtzman et al., arXiv 1904.09751, equation 3.
 */
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveFraction } from '../../src/codec/fields.ts'
import { type Processor, unchanged } from './processor.ts'
import { Ranking } from './ranking.ts'
import { largest, totalWeight, weight } from './weight.ts'

export const topP = (p: number): Processor => {
  decodeOrThrow(positiveFraction, p, 'topP')
  if (p === 1) return unchanged
  return logits => {
    const max = largest(logits)
    const mass = p * totalWeight(logits, max)
    const ranking = new Ranking(logits)
    for (let sum = 0; sum < mass && ranking.size > 0; ) sum += weight(logits[ranking.next()], max)
    ranking.removeRest()
    return logits
  }
}
