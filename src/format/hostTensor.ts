/**
 * Tensors as plain host data: what files hold, before and after any engine. Row-major (C order), little-endian memory as
 * in the file, so that a typed array over the file's own bytes is the tensor.
 *
 * F16 and BF16 have no JavaScript array: their data are the 16-bit patterns; `floats` widens them.
 */
import { bf16ToF32, f16ToF32 } from './half.ts'

interface Stored<Name extends string, Data> {
  readonly dtype: Name
  /** Sizes by axis; [] is a scalar, and a size may be 0. Their product is `data.length`. */
  readonly shape: readonly number[]
  readonly data: Data
}

export type HostTensor =
  | Stored<'F64', Float64Array>
  | Stored<'F32', Float32Array>
  | Stored<'F16', Uint16Array>
  | Stored<'BF16', Uint16Array>
  | Stored<'I64', BigInt64Array>
  | Stored<'I32', Int32Array>
  | Stored<'I16', Int16Array>
  | Stored<'I8', Int8Array>
  | Stored<'U64', BigUint64Array>
  | Stored<'U32', Uint32Array>
  | Stored<'U16', Uint16Array>
  | Stored<'U8', Uint8Array>
  | Stored<'BOOL', Uint8Array>

/** Element types, by safetensors' names. */
export type DType = HostTensor['dtype']

/** Named host tensors, for instance a checkpoint. A Map, so that names such as `constructor` are just names. */
export type HostTensors = ReadonlyMap<string, HostTensor>

/** Bytes an element. */
export const BYTES: Readonly<Record<DType, 1 | 2 | 4 | 8>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
}

/** Number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

/** The bytes of a tensor's data, shared with it. */
export const bytesOf = ({ data }: HostTensor): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/** An f32 tensor over existing data. */
export const f32 = (shape: readonly number[], data: Float32Array): HostTensor => ({ dtype: 'F32', shape, data })

/**
 * A tensor over bytes that fit its shape: their own memory where it is aligned to the element, else a copy.
 */
export const hostTensor = (dtype: DType, shape: readonly number[], bytes: Uint8Array): HostTensor => {
  // Not `slice`, which copies nothing of a Node Buffer.
  const { buffer, byteOffset, length } = bytes.byteOffset % BYTES[dtype] === 0 ? bytes : new Uint8Array(bytes)
  const count = length / BYTES[dtype]
  switch (dtype) {
    case 'F64':
      return { dtype, shape, data: new Float64Array(buffer, byteOffset, count) }
    case 'F32':
      return { dtype, shape, data: new Float32Array(buffer, byteOffset, count) }
    case 'F16':
    case 'BF16':
    case 'U16':
      return { dtype, shape, data: new Uint16Array(buffer, byteOffset, count) }
    case 'I64':
      return { dtype, shape, data: new BigInt64Array(buffer, byteOffset, count) }
    case 'U64':
      return { dtype, shape, data: new BigUint64Array(buffer, byteOffset, count) }
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer, byteOffset, count) }
    case 'U32':
      return { dtype, shape, data: new Uint32Array(buffer, byteOffset, count) }
    case 'I16':
      return { dtype, shape, data: new Int16Array(buffer, byteOffset, count) }
    case 'I8':
      return { dtype, shape, data: new Int8Array(buffer, byteOffset, count) }
    case 'U8':
    case 'BOOL':
      return { dtype, shape, data: new Uint8Array(buffer, byteOffset, count) }
  }
}

/** The elements as f32: the data itself for F32, exactly widened for F16 and BF16, rounded to nearest for the others. */
export const floats = (tensor: HostTensor): Float32Array => {
  switch (tensor.dtype) {
    case 'F32':
      return tensor.data
    case 'F16':
      return f16ToF32(tensor.data)
    case 'BF16':
      return bf16ToF32(tensor.data)
    case 'I64':
    case 'U64':
      return Float32Array.from(tensor.data, Number)
    default:
      return Float32Array.from(tensor.data)
  }
}
