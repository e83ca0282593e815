import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import test from 'tape'
import { orThrow } from '../../../src/codec/decode.ts'
import { InputError } from '../../../src/errors.ts'
import { bytesOf, f32, floats, type HostTensors, hostTensor } from '../../../src/format/hostTensor.ts'
import { hostTensors, readSafetensors, safetensorsPieces, writeSafetensors } from '../../../src/format/safetensors.ts'
import { joinShards, readShardIndex, shard } from '../../../src/format/shards.ts'
import { hostTensorsArbitrary, nameArbitrary } from '../../arbitraries/hostTensor.ts'
import { L11, sameTensors } from '../../laws/codec.ts'
import { breaks, holds } from '../../property.ts'
import { withShared } from '../../shared.ts'

const read = (bytes: Uint8Array) => orThrow(readSafetensors(bytes, 'x.safetensors'))
const readTensors = (bytes: Uint8Array) => hostTensors(read(bytes))
const metadataArbitrary = fc.dictionary(nameArbitrary, fc.string({ unit: 'grapheme' }))

/** A file with the given header text and data bytes. */
const file = (header: string, data: number | Uint8Array = 0) => {
  const json = new TextEncoder().encode(header)
  const body = typeof data === 'number' ? new Uint8Array(data) : data
  const out = new Uint8Array(8 + json.length + body.length)
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true)
  out.set(json, 8)
  out.set(body, 8 + json.length)
  return out
}

test(`L11 ${L11.name}`, t => {
  holds(
    t,
    'any tensors',
    fc.property(hostTensorsArbitrary, x => L11.holds(writeSafetensors, readTensors, x)),
  )
  const unaligned = (wrap: (memory: ArrayBuffer) => Uint8Array) => (bytes: Uint8Array) => {
    const shifted = wrap(new ArrayBuffer(bytes.length + 1))
    shifted.set(bytes, 1)
    return readTensors(shifted.subarray(1))
  }
  for (const [what, wrap] of Object.entries({
    'unaligned memory': (memory: ArrayBuffer) => new Uint8Array(memory),
    'an unaligned Buffer, as Node reads files': (memory: ArrayBuffer) => Buffer.from(memory),
  }))
    holds(
      t,
      `from ${what}`,
      fc.property(hostTensorsArbitrary, x => L11.holds(writeSafetensors, unaligned(wrap), x)),
    )
  const lossy = (tensors: HostTensors) =>
    writeSafetensors(
      new Map(Array.from(tensors, ([name, x]) => [name, x.dtype === 'F64' ? f32(x.shape, floats(x)) : x])),
    )
  breaks(
    t,
    'f64 stored as f32',
    fc.property(hostTensorsArbitrary, x => L11.holds(lossy, readTensors, x)),
  )
  t.end()
})

test('safetensors: writing is deterministic, aligned and keeps metadata', t => {
  holds(
    t,
    'equal tensors in any order give equal files, read without a copy',
    fc.property(hostTensorsArbitrary, metadataArbitrary, (tensors, metadata) => {
      const bytes = writeSafetensors(tensors, metadata)
      const again = writeSafetensors(new Map([...tensors].reverse()), metadata)
      const parsed = read(bytes)
      return (
        Buffer.compare(bytes, again) === 0 &&
        [...hostTensors(parsed).values()].every(x => x.data.buffer === bytes.buffer) &&
        JSON.stringify(Object.entries(parsed.metadata).sort()) === JSON.stringify(Object.entries(metadata).sort())
      )
    }),
  )
  const weights = new Float32Array(4)
  const pieces = safetensorsPieces(new Map([['w', f32([2, 2], weights)]]))
  t.equal(pieces[1]?.buffer, weights.buffer, "pieces share the tensors' memory")
  t.throws(
    () => writeSafetensors(new Map([['w', f32([3], weights)]])),
    /InputError: safetensors: w: expected 3 elements for \[3\], found 4/,
  )
  for (const name of ['__metadata__', 'a\ud800'])
    t.throws(() => writeSafetensors(new Map([[name, f32([4], weights)]])), InputError)
  t.end()
})

test('safetensors: each violation of the format is an InputError that says where', t => {
  const entry = (dtype: string, shape: string, from: number, to: number) =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${from},${to}]}`
  const a = entry('F32', '[2]', 0, 8)
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['empty file', new Uint8Array(0), /at least 8 bytes, found 0/],
    ['header longer than the file', file('{}').subarray(0, 9), /header length: expected at most 1 bytes, found 2/],
    ['huge header length', new Uint8Array(16).fill(0xff), /header length/],
    ['no brace', file(' {}'), /header: expected JSON starting with '\{'/],
    ['bad JSON', file('{"a":}'), /header: expected JSON/],
    ['bad UTF-8', file('{"a"').fill(0xff, 9), /header: expected UTF-8/],
    ['unknown dtype', file(`{"a":${entry('F8', '[2]', 0, 2)}}`, 2), /a: dtype: expected "F64" or .*, found "F8"/],
    [
      'negative size',
      file(`{"a":${entry('F32', '[-2]', 0, 8)}}`, 8),
      /a: shape.0: expected a non-negative integer, found -2/,
    ],
    [
      'missing offsets',
      file('{"a":{"dtype":"F32","shape":[2]}}', 8),
      /a: data_offsets: expected a pair of offsets, found nothing/,
    ],
    [
      'size and offsets disagree',
      file(`{"a":${entry('F32', '[3]', 0, 8)}}`, 8),
      /a: data_offsets: expected 12 bytes for F32 \[3\], found 8/,
    ],
    ['reversed offsets', file(`{"a":${entry('F32', '[0]', 8, 0)}}`, 8), /a: data_offsets/],
    ['hole', file(`{"a":${a},"b":${entry('U8', '[1]', 9, 10)}}`, 10), /b: data_offsets: expected 8/],
    ['overlap', file(`{"a":${a},"b":${entry('U8', '[4]', 4, 8)}}`, 8), /b: data_offsets: expected 8/],
    [
      'truncated data',
      file(`{"a":${a}}`, 7),
      /a: data_offsets: expected an end within the file's 7 data bytes, found 8 \(truncated\)/,
    ],
    ['trailing data', file(`{"a":${a}}`, 9), /expected 8 data bytes, found 9/],
    ['same name twice', file(`{"a":${a},"\\u0061":${a}}`, 8), /expected each key once, found "a" twice/],
    ['half a character in a name', file(`{"\\ud800":${a}}`, 8), /expected well-formed names, found "\\ud800"/],
    ['metadata not text', file('{"__metadata__":{"k":1}}'), /__metadata__: k: expected a string, found 1/],
    ['metadata null', file('{"__metadata__":null}'), /__metadata__: expected an object of strings, found null/],
    [
      'size product overflows',
      file(`{"a":${entry('F32', '[9007199254740991,9007199254740991]', 0, 8)}}`, 8),
      /a: data_offsets/,
    ],
  ]
  for (const [name, bytes, message] of cases) {
    const result = readSafetensors(bytes, 'x.safetensors')
    if (E.isRight(result)) t.fail(`${name}: accepted`)
    else
      t.ok(
        message.test(result.left.message) && result.left.message.startsWith('x.safetensors: '),
        `${name}: ${result.left.message}`,
      )
  }
  t.ok(
    E.isRight(readSafetensors(file(`{"a":${a}}  `, 8), 'x')),
    'negative control: the same file without a fault is read',
  )
  t.end()
})

test('safetensors: any bytes give a value or an InputError', t => {
  const total = (bytes: Uint8Array) => {
    const result = readSafetensors(bytes, 'x')
    return E.isLeft(result) ? result.left instanceof InputError : hostTensors(result.right).size >= 0
  }
  holds(t, 'any bytes', fc.property(fc.uint8Array({ maxLength: 64 }), total))
  holds(
    t,
    'any JSON header',
    fc.property(fc.json(), fc.nat(20), (json, n) => total(file(json, n))),
  )
  const almost = fc.record(
    {
      dtype: fc.constantFrom('F32', 'U8', 'X', 1),
      shape: fc.array(fc.integer({ min: -1, max: 3 })),
      data_offsets: fc.array(fc.integer({ min: -1, max: 9 }), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  holds(
    t,
    'almost right headers',
    fc.property(fc.dictionary(nameArbitrary, almost), fc.nat(20), (h, n) => total(file(JSON.stringify(h), n))),
  )
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 })
  holds(
    t,
    'edited files',
    fc.property(hostTensorsArbitrary, edits, fc.nat(), (tensors, changes, cut) => {
      const bytes = writeSafetensors(tensors)
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      return total(bytes) && total(bytes.subarray(0, cut % bytes.length))
    }),
  )
  holds(
    t,
    'every truncation is refused',
    fc.property(hostTensorsArbitrary, fc.nat(), (tensors, cut) => {
      const bytes = writeSafetensors(tensors)
      return E.isLeft(readSafetensors(bytes.subarray(0, cut % bytes.length), 'x'))
    }),
  )
  t.end()
})

test('shards: index and files join to the tensors', t => {
  holds(
    t,
    'split and joined',
    fc.property(hostTensorsArbitrary, fc.integer({ min: 1, max: 200 }), (tensors, maxBytes) => {
      const { files, index } = shard(tensors, maxBytes)
      const written = new Map(Array.from(files, ([name, held]) => [name, read(writeSafetensors(held))]))
      const map = orThrow(readShardIndex(index, 'index'))
      const small = [...files.values()].every(
        held => held.size === 1 || [...held.values()].reduce((n, x) => n + bytesOf(x).length, 0) <= maxBytes,
      )
      return small && sameTensors(orThrow(joinShards(map, written, 'index')), tensors)
    }),
  )
  const index = (file_: string) => JSON.stringify({ weight_map: { w: file_ } })
  for (const evil of ['../x.safetensors', '/x.safetensors', 'a\\b.safetensors', 'x.bin']) {
    t.throws(() => orThrow(readShardIndex(index(evil), 'i')), /i: weight_map.w: expected a file name/, evil)
  }
  t.throws(
    () => orThrow(joinShards(new Map([['w', 'a.safetensors']]), new Map(), 'i')),
    /i: weight_map: w: expected in a.safetensors/,
  )
  t.end()
})

test('safetensors: golden files of other writers', t => {
  const shared = [
    'vectors/torch',
    'ct2_transliteration/model',
    'charrnn_shakespeare/model',
    'ddpm_mnist/model',
    'ddpm_mnist/reference',
    'vit_mnist_13k/model',
  ]
  for (const name of shared) {
    withShared(t, `data/${name}.safetensors`, path => {
      const bytes = new Uint8Array(readFileSync(path))
      const tensors = hostTensors(orThrow(readSafetensors(bytes, path)))
      t.ok(
        tensors.size > 0 && [...tensors.values()].every(x => floats(x).every(Number.isFinite)),
        `${name}: ${tensors.size} tensors, all finite`,
      )
      t.ok(sameTensors(readTensors(writeSafetensors(tensors)), tensors), `${name}: written and read again, same bits`)
    })
  }
  t.end()
})

test('host tensors: widening to f32', t => {
  const wide = (dtype: 'F16' | 'BF16' | 'I64' | 'I8', bytes: number[]) =>
    Array.from(floats(hostTensor(dtype, [1], Uint8Array.from(bytes))))
  t.deepEqual(wide('F16', [0x00, 0x3c]), [1])
  t.deepEqual(wide('BF16', [0xc0, 0xbf]), [-1.5])
  t.deepEqual(wide('I64', [254, 255, 255, 255, 255, 255, 255, 255]), [-2])
  t.deepEqual(wide('I8', [200]), [-56])
  t.end()
})
