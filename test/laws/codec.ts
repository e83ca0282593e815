/** L11, the codec half: what was written reads back with the same bits. */
import { bytesOf, type HostTensors } from '../../src/format/hostTensor.ts'

/** Same names, element types, shapes and bits; order does not matter. */
export const sameTensors = (a: HostTensors, b: HostTensors): boolean =>
  a.size === b.size &&
  [...a].every(([name, x]) => {
    const y = b.get(name)
    if (y === undefined || x.dtype !== y.dtype || x.shape.join() !== y.shape.join()) return false
    const [xs, ys] = [bytesOf(x), bytesOf(y)]
    return xs.length === ys.length && xs.every((byte, i) => byte === ys[i])
  })

export const L11 = {
  id: 'L11',
  name: 'codec: decode(encode(tensors)) is the tensors, bit for bit',
  holds: (
    encode: (tensors: HostTensors) => Uint8Array,
    decode: (bytes: Uint8Array) => HostTensors,
    tensors: HostTensors,
  ) => sameTensors(decode(encode(tensors)), tensors),
}
