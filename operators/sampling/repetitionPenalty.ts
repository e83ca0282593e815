import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveNumber } from '../../src/codec/fields.ts'
import { InputError } from '../../src/errors.ts'
import { type Processor, unchanged } from './processor.ts'

/**
 * For each distinct previous token l ← l / θ where l > 0, else l · θ (Keskar et al., arXiv 1909.05858, as Hugging Face has
 * it). θ = 1 is the identity (law G1). It reads the sign of logits, so it comes before what shifts them. A previous id outside of the
 * vocabulary is an InputError.
 */
export const repetitionPenalty = (penalty: number): Processor => {
  decodeOrThrow(positiveNumber, penalty, 'repetitionPenalty')
  if (penalty === 1) return unchanged
  return (logits, previous) => {
    for (const id of new Set(previous)) {
      if (!(id >= 0 && id < logits.length))
        throw new InputError(`repetitionPenalty: expected previous ids in [0, ${logits.length}), found ${id}`)
      logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty
    }
    return logits
  }
}
