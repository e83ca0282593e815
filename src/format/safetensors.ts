/**
 * safetensors: u64 header length (little-endian), a JSON header, then the tensors' bytes.
 *
 *   { "name": { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] }, …, "__metadata__": { "key": "text" } }
 *
 * Reading is lazy: a tensor is a view of the file's own bytes. Validation is the format's: the header is at most 100 MB and
 * starts with '{', keys are unique, dtype, shape and offsets agree, and the offsets tile the data without hole or overlap.
 * Writing is deterministic and aligned: wide elements first, then by name, the header padded with spaces to 8 bytes; so
 * equal tensors give equal files, and reading them copies nothing. Law L11 (codec): reading what was written gives the same
 * bits.
 *
 * Source: https://huggingface.co/docs/safetensors and its reference implementation in Rust.
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import { decode } from '../codec/decode.ts'
import { dictionary, naturalNumber, oneOf, text } from '../codec/fields.ts'
import { parseJson, utf8 } from '../codec/json.ts'
import { InputError } from '../errors.ts'
import { duplicateKey } from './duplicateKey.ts'
import { BYTES, bytesOf, type DType, type HostTensor, type HostTensors, hostTensor, sizeOf } from './hostTensor.ts'

/** A tensor of a file: its description and its bytes, shared with the file. */
export interface TensorView {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** A file's contents, tensors in the order of their bytes. */
export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, TensorView>
}

const PREFIX = 8
const ALIGNMENT = 8
const MAX_HEADER = 100_000_000
const METADATA = '__metadata__'
const OPEN_BRACE = 0x7b
/** JSON can escape half a character, which is no UTF-8 text: other readers refuse such names. */
const LONE_SURROGATE = /\p{Surrogate}/u

const Metadata = dictionary('an object of strings', text)
const Entry = t.type({
  dtype: oneOf('F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'I16', 'I8', 'U64', 'U32', 'U16', 'U8', 'BOOL'),
  shape: t.readonlyArray(naturalNumber, 'an array of sizes'),
  data_offsets: t.tuple([naturalNumber, naturalNumber], 'a pair of offsets'),
})
const Header = dictionary('an object of tensors', t.unknown)

const wrong = (where: string, message: string) => E.left(new InputError(`${where}: ${message}`))

const headerOf = (bytes: Uint8Array, where: string): E.Either<InputError, readonly [string, Uint8Array]> => {
  if (bytes.length < PREFIX) {
    return wrong(where, `expected a safetensors file of at least ${PREFIX} bytes, found ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = Number(view.getBigUint64(0, true))
  const available = Math.min(MAX_HEADER, bytes.length - PREFIX)
  if (length > available) {
    return wrong(
      where,
      `header length: expected at most ${available} bytes, found ${length} (truncated or not safetensors)`,
    )
  }
  const header = bytes.subarray(PREFIX, PREFIX + length)
  if (header[0] !== OPEN_BRACE) return wrong(where, "header: expected JSON starting with '{'")
  return pipe(
    utf8(header, `${where}: header`),
    E.map(json => [json, bytes.subarray(PREFIX + length)] as const),
  )
}

/** Any bytes as a safetensors file, or an InputError that names the file (`where`) and the field. */
export const readSafetensors = (bytes: Uint8Array, where: string): E.Either<InputError, Safetensors> =>
  pipe(
    E.Do,
    E.bind('parts', () => headerOf(bytes, where)),
    E.bind('json', ({ parts: [json] }) => parseJson(json, `${where}: header`)),
    E.bind('header', ({ json }) => decode(Header, json, where)),
    E.bind('unique', ({ parts: [json] }) => {
      const twice = duplicateKey(json)
      return twice === null
        ? E.right(null)
        : wrong(where, `header: expected each key once, found ${JSON.stringify(twice)} twice`)
    }),
    E.bind('metadata', ({ header }) =>
      decode(Metadata, header.has(METADATA) ? header.get(METADATA) : {}, `${where}: ${METADATA}`),
    ),
    E.chain(({ parts: [, data], header, metadata }) =>
      pipe(
        tensorsOf(header, data, where),
        E.map(tensors => ({ metadata: Object.fromEntries(metadata), tensors })),
      ),
    ),
  )

const tensorsOf = (
  header: ReadonlyMap<string, unknown>,
  data: Uint8Array,
  where: string,
): E.Either<InputError, ReadonlyMap<string, TensorView>> => {
  const entries: (t.TypeOf<typeof Entry> & { readonly name: string })[] = []
  for (const [name, value] of header) {
    if (name === METADATA) continue
    if (LONE_SURROGATE.test(name))
      return wrong(where, `header: expected well-formed names, found ${JSON.stringify(name)}`)
    const entry = decode(Entry, value, `${where}: ${name}`)
    if (E.isLeft(entry)) return entry
    entries.push({ ...entry.right, name })
  }
  entries.sort(({ data_offsets: [a, b] }, { data_offsets: [c, d] }) => a - c || b - d)
  const tensors = new Map<string, TensorView>()
  let end = 0
  for (const { name, dtype, shape, data_offsets } of entries) {
    const [from, to] = data_offsets
    const at = `${where}: ${name}: data_offsets`
    if (from !== end)
      return wrong(at, `expected ${end} (tensors follow each other without hole or overlap), found ${from}`)
    const size = sizeOf(shape) * BYTES[dtype]
    if (to - from !== size) return wrong(at, `expected ${size} bytes for ${dtype} [${shape}], found ${to - from}`)
    if (to > data.length)
      return wrong(at, `expected an end within the file's ${data.length} data bytes, found ${to} (truncated)`)
    tensors.set(name, { dtype, shape, bytes: data.subarray(from, to) })
    end = to
  }
  if (end !== data.length) return wrong(where, `expected ${end} data bytes, found ${data.length}`)
  return E.right(tensors)
}

/** A view as a host tensor; copies only where the file did not align it. */
const viewTensor = ({ dtype, shape, bytes }: TensorView): HostTensor => hostTensor(dtype, shape, bytes)

/** All tensors of a file, by name. */
export const hostTensors = (file: Safetensors): HostTensors =>
  new Map(Array.from(file.tensors, ([name, view]) => [name, viewTensor(view)]))

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0)

/**
 * The file as pieces to be written one after the other, the tensors' bytes not copied. Data that do not fit their shape, and
 * the name `__metadata__`, are InputErrors.
 */
export const safetensorsPieces = (
  tensors: HostTensors,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] => {
  const sorted = [...tensors].sort(byName).sort(([, a], [, b]) => BYTES[b.dtype] - BYTES[a.dtype])
  const fields: [string, unknown][] =
    Object.keys(metadata).length === 0 ? [] : [[METADATA, Object.fromEntries(Object.entries(metadata).sort(byName))]]
  let offset = 0
  for (const [name, { dtype, shape, data }] of sorted) {
    if (name === METADATA || LONE_SURROGATE.test(name)) {
      throw new InputError(`safetensors: expected a tensor name, found ${JSON.stringify(name)}`)
    }
    if (sizeOf(shape) !== data.length) {
      throw new InputError(
        `safetensors: ${name}: expected ${sizeOf(shape)} elements for [${shape}], found ${data.length}`,
      )
    }
    fields.push([name, { dtype, shape, data_offsets: [offset, offset + data.byteLength] }])
    offset += data.byteLength
  }
  // Joined by hand: an object would put names that look like array indices first.
  const json = new TextEncoder().encode(
    `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`,
  )
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const head = new Uint8Array(PREFIX + length).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true)
  head.set(json, PREFIX)
  return [head, ...sorted.map(([, tensor]) => bytesOf(tensor))]
}

/** The file as one array of bytes. */
export const writeSafetensors = (tensors: HostTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array => {
  const pieces = safetensorsPieces(tensors, metadata)
  const out = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0))
  let offset = 0
  for (const piece of pieces) {
    out.set(piece, offset)
    offset += piece.length
  }
  return out
}
