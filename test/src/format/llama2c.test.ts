import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import test from 'tape'
import { orThrow } from '../../../src/codec/decode.ts'
import { InputError } from '../../../src/errors.ts'
import { floats } from '../../../src/format/hostTensor.ts'
import { readLlama2c } from '../../../src/format/llama2c.ts'
import { modelTensors } from '../../../src/format/modelTensors.ts'
import { pairsToHalves } from '../../../src/format/rotaryLayout.ts'
import { breaks, holds } from '../../property.ts'
import { withShared } from '../../shared.ts'

/** weight [rows, columns] times x [columns]. */
const times = (weight: ArrayLike<number>, x: readonly number[]): number[] =>
  Array.from({ length: weight.length / x.length }, (_, row) =>
    x.reduce((sum, value, column) => sum + (weight[row * x.length + column] ?? 0) * value, 0),
  )

const angle = (i: number, headWidth: number, position: number) => position * 10000 ** ((-2 * i) / headWidth)

/** llama2.c's run.c: coordinates 2i and 2i + 1 of each head turn together. */
const turnPairs = (x: readonly number[], headWidth: number, position: number): number[] =>
  x.map((value, at) => {
    const i = Math.floor((at % headWidth) / 2)
    const theta = angle(i, headWidth, position)
    const partner = at % 2 === 0 ? -(x[at + 1] ?? 0) : (x[at - 1] ?? 0)
    return value * Math.cos(theta) + partner * Math.sin(theta)
  })

/** Transformers' rotate_half: coordinates i and i + d/2 of each head turn together. */
const turnHalves = (x: readonly number[], headWidth: number, position: number): number[] => {
  const half = headWidth / 2
  return x.map((value, at) => {
    const i = at % headWidth
    const theta = angle(i % half, headWidth, position)
    const partner = i < half ? -(x[at + half] ?? 0) : (x[at - half] ?? 0)
    return value * Math.cos(theta) + partner * Math.sin(theta)
  })
}

/** Inner products of queries and keys, head by head. */
const headProducts = (q: readonly number[], k: readonly number[], headWidth: number): number[] =>
  Array.from({ length: q.length / headWidth }, (_, head) => {
    let sum = 0
    for (let i = head * headWidth; i < (head + 1) * headWidth; i++) sum += (q[i] ?? 0) * (k[i] ?? 0)
    return sum
  })

const close = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((value, i) => Math.abs(value - (b[i] ?? 0)) <= 1e-6 * (1 + Math.abs(value)))

const cases = fc
  .record({
    heads: fc.integer({ min: 1, max: 3 }),
    half: fc.integer({ min: 2, max: 4 }),
    columns: fc.integer({ min: 1, max: 5 }),
  })
  .chain(({ heads, half, columns }) => {
    const numbers = (length: number) =>
      fc.array(fc.integer({ min: -8, max: 8 }), { minLength: length, maxLength: length })
    return fc.record({
      heads: fc.constant(heads),
      headWidth: fc.constant(2 * half),
      q: numbers(heads * 2 * half * columns),
      k: numbers(heads * 2 * half * columns),
      x: numbers(columns),
      y: numbers(columns),
      positions: fc.tuple(fc.nat(50), fc.nat(50)),
    })
  })

type Permute = (weight: Float32Array, heads: number, headWidth: number, columns: number) => Float32Array

const keepsProducts = (permute: Permute) =>
  fc.property(cases, ({ heads, headWidth, q, k, x, y, positions: [m, n] }) => {
    const wq = Float32Array.from(q)
    const wk = Float32Array.from(k)
    const original = headProducts(
      turnPairs(times(wq, x), headWidth, m),
      turnPairs(times(wk, y), headWidth, n),
      headWidth,
    )
    const pq = permute(wq, heads, headWidth, x.length)
    const pk = permute(wk, heads, headWidth, y.length)
    const converted = headProducts(
      turnHalves(times(pq, x), headWidth, m),
      turnHalves(times(pk, y), headWidth, n),
      headWidth,
    )
    return close(original, converted)
  })

test('N6 rotary layouts: turning halves of reordered weights equals turning pairs of the original ones', t => {
  holds(
    t,
    'the turned vectors are equal, coordinate 2i at i and 2i + 1 at i + d/2',
    fc.property(cases, ({ heads, headWidth, q, x, positions: [m] }) => {
      const w = Float32Array.from(q)
      const pairs = turnPairs(times(w, x), headWidth, m)
      const halves = turnHalves(times(pairsToHalves(w, heads, headWidth, x.length), x), headWidth, m)
      const moved = pairsToHalves(Float32Array.from(pairs), heads, headWidth, 1)
      return close(Array.from(moved), Array.from(Float32Array.from(halves)))
    }),
  )
  holds(t, 'attention logits are equal', keepsProducts(pairsToHalves))
  breaks(
    t,
    'weights left as they are',
    keepsProducts(weight => weight),
  )
  breaks(
    t,
    'all heads reordered as one',
    keepsProducts((w, heads, d, c) => pairsToHalves(w, 1, heads * d, c)),
  )
  t.end()
})

/** A model.bin whose floats count 0, 1, 2 …; tied unless `vocabulary` is negative. */
const modelBin = (header: readonly number[]): Uint8Array => {
  const [dim = 0, hidden = 0, layers = 0, heads = 0, kv = 0, vocabulary = 0, context = 0] = header
  const kvDim = (dim * kv) / heads
  const layer = 2 * dim + 2 * dim * dim + 2 * kvDim * dim + 3 * dim * hidden
  const embeddings = Math.abs(vocabulary) * dim
  const count = embeddings + layers * layer + dim + (context * dim) / heads + (vocabulary < 0 ? embeddings : 0)
  const bytes = new Uint8Array(28 + 4 * count)
  bytes.set(new Uint8Array(Int32Array.from(header).buffer))
  bytes.set(new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer), 28)
  return bytes
}

test('llama2.c: sections in order, under Hugging Face names', t => {
  for (const vocabulary of [5, -5]) {
    const bytes = modelBin([8, 12, 2, 2, 1, vocabulary, 6])
    const { config, tensors } = orThrow(readLlama2c(bytes, 'm.bin'))
    t.equal(config.tie_word_embeddings, vocabulary > 0)
    t.equal(config.head_dim, 4)
    t.ok(E.isRight(modelTensors(config, tensors, 'm.bin')), "names and shapes are a Llama model's")
    const first = (name: string) => {
      const tensor = tensors.get(name)
      return tensor === undefined ? undefined : floats(tensor)[0]
    }
    t.equal(first('model.embed_tokens.weight'), 0)
    t.equal(first('model.layers.0.input_layernorm.weight'), 40)
    t.equal(first('model.layers.1.input_layernorm.weight'), 48)
    t.equal(first('model.layers.1.self_attn.v_proj.weight'), 40 + 16 + 128 + 64 + 32)
    t.equal(first('model.norm.weight'), 40 + 16 + 128 + 64 + 64 + 128 + 16 + 3 * 192)
    t.equal(first('lm_head.weight'), vocabulary > 0 ? undefined : 40 + 16 + 128 + 64 + 64 + 128 + 16 + 3 * 192 + 8 + 24)
  }
  t.end()
})

test('llama2.c: any bytes give a model or an InputError', t => {
  const whole = modelBin([4, 4, 1, 2, 1, 3, 2])
  t.ok(E.isRight(readLlama2c(whole, 'm.bin')))
  const refuses = (bytes: Uint8Array, message: RegExp, name: string) => {
    const result = readLlama2c(bytes, 'm.bin')
    if (E.isRight(result)) t.fail(`${name}: accepted`)
    else t.ok(message.test(result.left.message), `${name}: ${result.left.message}`)
  }
  refuses(whole.subarray(0, 20), /m.bin: expected a llama2.c header of 28 bytes, found 20/, 'header cut')
  refuses(whole.subarray(0, -4), /m.bin: expected \d+ bytes for the header's sizes, found \d+/, 'one number short')
  refuses(
    modelBin([4, 4, 1, 3, 1, 3, 2]),
    /m.bin: header: hidden_size: expected a multiple of num_attention_heads = 3, found 4/,
    'heads',
  )
  refuses(new Uint8Array(100), /m.bin: header: .*expected a positive integer, found 0/, 'zeros')
  const total = (bytes: Uint8Array) => {
    const result = readLlama2c(bytes, 'm.bin')
    return E.isRight(result) || result.left instanceof InputError
  }
  holds(t, 'any bytes', fc.property(fc.uint8Array({ maxLength: 80 }), total))
  holds(
    t,
    'any header',
    fc.property(fc.array(fc.integer({ min: -2, max: 9 }), { minLength: 7, maxLength: 7 }), h => {
      const bytes = new Uint8Array(400)
      bytes.set(new Uint8Array(Int32Array.from(h).buffer))
      return total(bytes)
    }),
  )
  holds(
    t,
    'every truncation is refused',
    fc.property(fc.nat(whole.length - 1), n => E.isLeft(readLlama2c(whole.subarray(0, n), 'm.bin'))),
  )
  t.end()
})

test('llama2.c: stories260K', t => {
  withShared(t, 'data/stories260K/stories260K.bin', path => {
    const { config, tensors } = orThrow(readLlama2c(new Uint8Array(readFileSync(path)), path))
    const { hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, vocab_size } =
      config
    t.deepEqual(
      [hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, vocab_size],
      [64, 172, 5, 8, 4, 512],
    )
    t.ok(E.isRight(modelTensors(config, tensors, path)))
    const parameters = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0)
    t.equal(parameters, 260_032)
    t.ok([...tensors.values()].every(tensor => floats(tensor).every(Number.isFinite)))
  })
  t.end()
})
