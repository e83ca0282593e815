/** Host tensors of every element type with any bits, scalars and empty axes included. */
import fc from 'fast-check'
import {
  BYTES,
  type DType,
  type HostTensor,
  type HostTensors,
  hostTensor,
  sizeOf,
} from '../../src/format/hostTensor.ts'

const dtypes: readonly DType[] = [
  'F64',
  'F32',
  'F16',
  'BF16',
  'I64',
  'I32',
  'I16',
  'I8',
  'U64',
  'U32',
  'U16',
  'U8',
  'BOOL',
]

export const hostTensorArbitrary: fc.Arbitrary<HostTensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const length = sizeOf(shape) * BYTES[dtype]
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map(bytes => hostTensor(dtype, shape, dtype === 'BOOL' ? bytes.map(b => b & 1) : bytes))
  })

/** Names that break careless code are among them. */
export const nameArbitrary = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', '0', '10', 'h.0.attn.c_attn.weight', '"', '\\'),
)

export const hostTensorsArbitrary: fc.Arbitrary<HostTensors> = fc
  .array(fc.tuple(nameArbitrary, hostTensorArbitrary), { maxLength: 6 })
  .map(entries => new Map(entries))
