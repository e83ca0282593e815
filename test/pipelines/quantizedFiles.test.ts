/** Quantized folders as bytes: headers that say something else than the file holds, and writing that leaves nothing half done. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import test from 'tape'
import { writeFolder } from '../../pipelines/folder.ts'
import { type FileSource, readModel } from '../../pipelines/modelFiles.ts'
import { uploadWeights } from '../../pipelines/parameters.ts'
import { quantize } from '../../pipelines/quantize.ts'
import { quantizeFolder } from '../../pipelines/quantizeFolder.ts'
import { orThrow } from '../../src/codec/decode.ts'
import { decodeModelConfig, encodeModelConfig } from '../../src/codec/model.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { InputError } from '../../src/errors.ts'
import { f32, type HostTensor, type HostTensors, sizeOf } from '../../src/format/hostTensor.ts'
import { llamaShapes } from '../../src/format/llamaNames.ts'
import { scalesName } from '../../src/format/quantized/modelMatrices.ts'
import { writeSafetensors } from '../../src/format/safetensors.ts'
import { normal } from '../../src/random/normal.ts'
import { fold, key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { holds } from '../property.ts'
import { inFolder } from './support.ts'

const decoded = orThrow(
  decodeModelConfig(
    {
      ...{ model_type: 'llama', vocab_size: 21, hidden_size: 40, intermediate_size: 52, num_hidden_layers: 1 },
      ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 24 },
    },
    'config',
  ),
)
if (decoded.model_type !== 'llama') throw new TypeError('a Llama')
const config = decoded

const weights = (): HostTensors =>
  new Map(
    Array.from(llamaShapes(config), ([name, shape]): [string, HostTensor] => [
      name,
      f32(shape, Float32Array.from(normal(fold(key(1), name), sizeOf(shape)))),
    ]),
  )

const HEADER_AT = 8
const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() }

/** A safetensors file with the text of its header changed. */
const withHeader = (file: Uint8Array, change: (header: string) => string): Uint8Array => {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  const header = utf8.encoder.encode(change(utf8.decoder.decode(file.subarray(HEADER_AT, HEADER_AT + length))))
  const bytes = new Uint8Array(HEADER_AT + header.length + file.length - HEADER_AT - length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, HEADER_AT)
  bytes.set(file.subarray(HEADER_AT + length), HEADER_AT + header.length)
  return bytes
}

test('quantized files: whatever a header says of a matrix or its scales is a model or an InputError of one line', t => {
  const small = quantize({ config, tensors: weights() }, 'q8_0')
  const file = writeSafetensors(small.tensors)
  const settings = utf8.encoder.encode(JSON.stringify(encodeModelConfig(small.config)))
  const engine = wasmEngine()
  /** The error's text, or null for a model that an engine takes. */
  const opened = (bytes: Uint8Array): string | null => {
    const source: FileSource = {
      where: 'm',
      read: name => (name === 'config.json' ? settings : name === 'model.safetensors' ? bytes : null),
    }
    try {
      const { config: read, tensors } = readModel(source)
      scope(() => Object.keys(uploadWeights(read, tensors, engine)).length)
      return null
    } catch (error) {
      if (error instanceof InputError) return error.message
      throw error
    }
  }
  t.equal(opened(file), null, 'negative control: the file as it was')
  const matrix = 'model.layers.0.mlp.up_proj.weight'
  const fields = {
    dtype: fc.oneof(fc.constantFrom('I8', 'U8', 'F16', 'BF16', 'F32', 'F64', 'I64', 'BOOL', 'Q8_0'), fc.anything()),
    shape: fc.oneof(
      fc.array(fc.nat(60), { maxLength: 4 }),
      fc.array(fc.oneof(fc.integer(), fc.double())),
      fc.anything(),
    ),
    data_offsets: fc.oneof(
      fc.tuple(fc.nat(file.length), fc.nat(2 * file.length)),
      fc.array(fc.integer()),
      fc.anything(),
    ),
  }
  const refused = { count: 0 }
  const told = (name: string, change: Readonly<Record<string, unknown>>): boolean => {
    const bytes = withHeader(file, text => {
      const header: Record<string, Record<string, unknown>> = JSON.parse(text)
      return JSON.stringify({ ...header, [name]: { ...header[name], ...change } })
    })
    const message = opened(bytes)
    if (message !== null) refused.count++
    return message === null || (message.startsWith('m') && !message.includes('\n'))
  }
  holds(
    t,
    'a type, a shape and a place that are not its own',
    fc.property(fc.constantFrom(matrix, scalesName(matrix)), fc.record(fields, { requiredKeys: [] }), told),
    { numRuns: 300 },
  )
  t.ok(refused.count > 100, `${refused.count} were refused`)
  holds(
    t,
    'any byte of the header changed',
    fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const bytes = file.slice()
      bytes[at % 3000] = byte
      const message = opened(bytes)
      return message === null || (message.startsWith('m') && !message.includes('\n'))
    }),
    { numRuns: 300 },
  )
  t.ok(
    /up_proj.weight: expected shape/.test(opened(withHeader(file, text => half(text, matrix))) ?? ''),
    'halves under an 8-bit name',
  )
  t.end()
})

/** The header with one matrix as binary16: of half as many rows, so that its bytes are as many. */
const half = (text: string, name: string): string => {
  const header: Record<string, Record<string, unknown>> = JSON.parse(text)
  return JSON.stringify({ ...header, [name]: { ...header[name], dtype: 'F16', shape: [26, 40] } })
}

test('quantizing: a model that 8 bits cannot hold leaves nothing behind', t =>
  inFolder(async root => {
    const tensors = new Map(weights())
    writeFolder(join(root, 'model'), { config, tensors })
    quantizeFolder(join(root, 'model'), 'q8_0', join(root, 'small'))
    t.deepEqual(
      readdirSync(root).sort(),
      ['model', 'small'],
      'negative control: what it can hold is there, and nothing else',
    )
    tensors.set('lm_head.weight', f32([21, 40], new Float32Array(840).fill(1e7)))
    writeFolder(join(root, 'model'), { config, tensors })
    for (const to of ['q8_0', 'f16'] as const)
      t.throws(
        () => quantizeFolder(join(root, 'model'), to, join(root, to)),
        /lm_head.weight: expected weights that/,
        to,
      )
    t.deepEqual(readdirSync(root).sort(), ['model', 'small'], 'no folder, whole or in part')
  }))
