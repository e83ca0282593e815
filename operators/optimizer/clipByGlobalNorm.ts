/**
 * g · min(1, limit / ‖g‖), where ‖g‖ is the norm over all parameters together.
 *
 * Source: Pascanu, Mikolov & Bengio, arXiv 1211.5063, algorithm 1. Laws: O5. The norm stays on the device: nothing is read. A norm below
 * the limit multiplies by exactly 1, and a zero gradient stays zero.
 */
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveNumber } from '../../src/codec/fields.ts'
import { add, binary, divide, multiply, scalar } from '../../src/kernel/binary.ts'
import { dot } from '../../src/kernel/dot.ts'
import { unary } from '../../src/kernel/unary.ts'
import { mapNamed, type Optimizer } from './optimizer.ts'
import { stateless } from './stateless.ts'

export const clipByGlobalNorm = (limit: number): Optimizer<null> => {
  decodeOrThrow(positiveNumber, limit, 'clipByGlobalNorm: limit')
  return stateless(gradient => {
    const squares = Object.values(gradient).map(g => dot(g, g))
    const norm = unary(
      'sqrt',
      squares.reduce((x, y) => add(x, y)),
    )
    const factor = binary('minimum', divide(scalar(norm, limit), norm), scalar(norm, 1))
    return mapNamed(gradient, g => multiply(g, factor))
  })
}
