import { decodeOrThrow } from '../../src/codec/decode.ts'
import { finiteNumber } from '../../src/codec/fields.ts'
import { scale as scaleTensor } from '../../src/kernel/binary.ts'
import { mapNamed, type Optimizer } from './optimizer.ts'
import { stateless } from './stateless.ts'

/** u = factor · g. */
export const scale = (factor: number): Optimizer<null> => {
  decodeOrThrow(finiteNumber, factor, 'scale: factor')
  return stateless(gradient => mapNamed(gradient, g => scaleTensor(g, factor)))
}
