import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveNumber } from '../../src/codec/fields.ts'
import { binary, scalar } from '../../src/kernel/binary.ts'
import { mapNamed, type Optimizer } from './optimizer.ts'
import { stateless } from './stateless.ts'

/** Each element into [-limit, limit]. Idempotent, the identity below the limit (law O5); it may change the direction. */
export const clipByValue = (limit: number): Optimizer<null> => {
  decodeOrThrow(positiveNumber, limit, 'clipByValue: limit')
  return stateless(gradient =>
    mapNamed(gradient, g => binary('maximum', binary('minimum', g, scalar(g, limit)), scalar(g, -limit))),
  )
}
