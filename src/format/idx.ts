/**
 * IDX, the format of MNIST: two zero bytes, the element type, the number of axes, each axis' length (big-endian), then the elements. Only unsigned
 * bytes (type 8) are read. Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
 */
import * as E from 'fp-ts/lib/Either.js'
import { InputError } from '../errors.ts'

export interface Idx {
  readonly shape: readonly number[]
  readonly values: Uint8Array
}

const UNSIGNED_BYTE = 8

/** Whether bytes begin as an IDX file does. */
export const isIdx = (bytes: Uint8Array): boolean => bytes[0] === 0 && bytes[1] === 0 && bytes[2] === UNSIGNED_BYTE

/** The array of an IDX file; it shares the file's memory. `where` names the file in errors. */
export const readIdx = (bytes: Uint8Array, where: string): E.Either<InputError, Idx> => {
  const wrong = (expected: string) => E.left(new InputError(`${where}: expected ${expected}`))
  if (!isIdx(bytes)) return wrong(`an IDX file of unsigned bytes, found another beginning`)
  const rank = bytes[3] ?? 0
  const start = 4 + 4 * rank
  if (rank === 0 || bytes.length < start) return wrong(`an IDX header of ${start} bytes, found ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const size = shape.reduce((product, length) => product * length, 1)
  const found = bytes.length - start
  return found === size
    ? E.right({ shape, values: bytes.subarray(start) })
    : wrong(`${size} bytes of shape [${shape}], found ${found}`)
}
