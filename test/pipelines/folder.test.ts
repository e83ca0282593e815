import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import { readFolder, writeFolder } from '../../pipelines/folder.ts'
import { TOKENIZER } from '../../pipelines/modelFiles.ts'
import { decodeOrThrow, orThrow } from '../../src/codec/decode.ts'
import { GenerationConfig } from '../../src/codec/generation.ts'
import { Gpt2Config } from '../../src/codec/gpt2.ts'
import { InputError } from '../../src/errors.ts'
import { gpt2Shapes } from '../../src/format/gpt2Names.ts'
import { f32, floats, type HostTensors, sizeOf } from '../../src/format/hostTensor.ts'
import { readLlama2c } from '../../src/format/llama2c.ts'
import { fold, key, uniform } from '../../src/random.ts'
import { sameTensors } from '../laws/codec.ts'
import { withShared } from '../shared.ts'

const inFolder = (use: (folder: string) => void): void => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-'))
  try {
    use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const config = decodeOrThrow(
  Gpt2Config,
  { vocab_size: 7, n_positions: 4, n_embd: 6, n_layer: 2, n_head: 2 },
  'config.json',
)
const generation = decodeOrThrow(GenerationConfig, { temperature: 0.8, eos_token_id: 6 }, 'generation_config.json')
const tensors: HostTensors = new Map(
  Array.from(gpt2Shapes(config), ([name, shape]) => [name, f32(shape, uniform(fold(key(1), name), sizeOf(shape)))]),
)
const tokenizer = { version: '1.0', model: { type: 'BPE' } }

test('L11 model folders: what was written reads back bit for bit, whole or in shards', t => {
  inFolder(root => {
    for (const [name, bytes] of [
      ['whole', Infinity],
      ['shards', 700],
    ] as const) {
      const folder = join(root, 'models', name)
      writeFolder(
        folder,
        { config, tensors, generation, tokenizer, files: new Map([['README.md', '# model\n']]) },
        bytes,
      )
      const read = readFolder(folder)
      t.ok(sameTensors(read.tensors, tensors), `${name}: tensors`)
      t.deepEqual(read.config, config, `${name}: configuration`)
      t.deepEqual(read.generation, generation, `${name}: generation`)
      t.deepEqual(JSON.parse(readFileSync(join(folder, TOKENIZER), 'utf8')), tokenizer, `${name}: tokenizer`)
    }
    t.deepEqual(readdirSync(join(root, 'models')).sort(), ['shards', 'whole'], 'nothing temporary is left')
    t.ok(
      readdirSync(join(root, 'models', 'shards')).some(name => /^model-00001-of-000\d\d\.safetensors$/.test(name)),
      'shard names',
    )
    const bare = join(root, 'bare')
    writeFolder(bare, { config, tensors })
    const read = readFolder(bare)
    t.equal(read.generation.temperature, null)
  })
  t.end()
})

test('model folders: writing into one that exists replaces its files and keeps others', t => {
  inFolder(folder => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    writeFolder(folder, { config, tensors })
    const doubled: HostTensors = new Map(
      Array.from(tensors, ([name, x]) => [
        name,
        f32(
          x.shape,
          floats(x).map(v => 2 * v),
        ),
      ]),
    )
    writeFolder(folder, { config, tensors: doubled })
    t.ok(sameTensors(readFolder(folder).tensors, doubled))
    t.deepEqual(readdirSync(folder).sort(), ['config.json', 'model.safetensors', 'notes.txt'])
  })
  t.end()
})

test('model folders: bad input is an InputError that says what and where', t => {
  inFolder(root => {
    const refuses = (change: (folder: string) => void, message: RegExp) => {
      const folder = join(root, 'm')
      rmSync(folder, { recursive: true, force: true })
      writeFolder(folder, { config, tensors })
      change(folder)
      try {
        readFolder(folder)
        t.fail(`accepted: ${message}`)
      } catch (error) {
        const found = error instanceof InputError ? error.message : `not an InputError: ${error}`
        t.ok(message.test(found) && !found.includes('\n'), found.replace(root, ''))
      }
    }
    refuses(folder => rmSync(folder, { recursive: true }), /m: no such file or folder$/)
    refuses(folder => rmSync(join(folder, 'config.json')), /config.json: no such file or folder$/)
    refuses(folder => rmSync(join(folder, 'model.safetensors')), /m: expected model.safetensors or .*, found neither$/)
    refuses(folder => truncateSync(join(folder, 'model.safetensors'), 3000), /model.safetensors: .*truncated/)
    refuses(folder => writeFileSync(join(folder, 'config.json'), '{'), /config.json: expected JSON: /)
    refuses(
      folder => writeFileSync(join(folder, 'config.json'), '{"model_type":"gpt2"}'),
      /config.json: vocab_size: expected a positive integer, found nothing/,
    )
    refuses(
      folder => writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, n_positions: 5 })),
      /wpe.weight: expected shape \[5,6\], found \[4,6\]$/,
    )
    refuses(
      folder => writeFileSync(join(folder, 'generation_config.json'), '{"top_p":2}'),
      /generation_config.json: top_p: expected a number in \(0, 1\], found 2$/,
    )
    refuses(folder => {
      rmSync(folder, { recursive: true })
      writeFileSync(folder, '')
    }, /m: expected a folder, found a file$/)
    refuses(folder => {
      rmSync(join(folder, 'model.safetensors'))
      mkdirSync(join(folder, 'model.safetensors'))
    }, /model.safetensors: expected a file, found a folder$/)
  })
  t.end()
})

test('model folders: stories260K as a Llama folder', t => {
  withShared(t, 'data/stories260K/stories260K.bin', path => {
    const model = orThrow(readLlama2c(new Uint8Array(readFileSync(path)), path))
    inFolder(root => {
      const folder = join(root, 'stories260K')
      writeFolder(folder, model)
      const read = readFolder(folder)
      t.deepEqual(read.config, model.config)
      t.ok(sameTensors(read.tensors, model.tensors))
    })
  })
  t.end()
})
