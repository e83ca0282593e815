/**
 * g · min(1, limit / ‖g‖), where ‖g‖ is the norm over all parameters together.
 *
 * Source: Pascanu, Mikolov & Bengio, arXiv 1211.5063, algorithm 1. Laws: O5. The norm stays on the device: nothing is read. A norm below
 * the limit multiplies by exactly 1, and a zero gradient stays zero.
 */
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { positiveNumber } from '../../src/codec/fields.ts'
import { binary, divide, scalar } from '../../src/kernel/binary.ts'
import { scaleEach, sumOfSquares } from '../../src/kernel/lists.ts'
import { unary } from '../../src/kernel/unary.ts'
import type { Optimizer } from './optimizer.ts'
import { stateless } from './stateless.ts'

export const clipByGlobalNorm = (limit: number): Optimizer<null> => {
  decodeOrThrow(positiveNumber, limit, 'clipByGlobalNorm: limit')
  return stateless(gradient => {
    const names = Object.keys(gradient)
    const gradients = Object.values(gradient)
    const norm = unary('sqrt', sumOfSquares(gradients))
    const factor = binary('minimum', divide(scalar(norm, limit), norm), scalar(norm, 1))
    const clipped = scaleEach(gradients, factor)
    return Object.fromEntries(names.map((name, i) => [name, clipped[i]]))
  })
}
