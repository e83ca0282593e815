import test from 'tape'
import { InputError, ShapeError } from '../../../src/errors.ts'
import { tokens } from '../../../src/tensor/tokens.ts'

test('token ids are integers of 32 bits, in a shape that holds them', t => {
  t.deepEqual(tokens([0, -100, 2 ** 31 - 1]), { ids: Int32Array.of(0, -100, 2 ** 31 - 1), shape: [1, 3] })
  for (const id of [1.7, Number.NaN, 2 ** 32, 2 ** 31, Number.POSITIVE_INFINITY])
    t.throws(() => tokens([0, id]), new InputError(`token id 1: expected an integer of 32 bits, found ${id}`))
  for (const shape of [
    [2, 2],
    [-1, -3],
    [1.5, 2],
  ])
    t.throws(() => tokens([1, 2, 3], shape), ShapeError, `[${shape}]`)
  t.end()
})
