import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveNumber } from '../../src/codec/fields.ts'
import { type Processor, unchanged } from './processor.ts'

/** l / T: sharper below 1, flatter above. T = 1 is the identity (law G1), T → 0 greedy (law G2). */
export const temperature = (value: number): Processor => {
  decodeOrThrow(positiveNumber, value, 'temperature')
  if (value === 1) return unchanged
  return logits => {
    for (let i = 0; i < logits.length; i++) logits[i] /= value
    return logits
  }
}
