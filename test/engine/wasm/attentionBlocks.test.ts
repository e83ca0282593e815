/** Attention over several blocks of queries and keys: its bound, its bits and its memory, none of which depends on blocks. */
import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../../src/engine/engine.ts'
import { type WasmOptions, wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { OutOfMemoryError } from '../../../src/engine/wasm/memory.ts'
import { attention, attentionPullback, attentionSizes } from '../../../src/kernel/attention.ts'
import { attentionWeights } from '../../../src/kernel/attentionWeights.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { attentionCases } from '../../kernel/problems.ts'
import { kernelDiscrepancy } from '../../laws/kernel.ts'
import { engines, numbers, sameBits } from './support.ts'

/** Edges of blocks (128) anywhere. */
const lengths = fc.record({
  batch: fc.constant(1),
  queries: fc.integer({ min: 1, max: 270 }),
  past: fc.integer({ min: 0, max: 140 }),
  free: fc.nat(2),
  keyValueHeads: fc.constant(1),
  group: fc.integer({ min: 1, max: 2 }),
  headWidth: fc.integer({ min: 1, max: 12 }),
  causal: fc.boolean(),
})

for (const { name, problem } of attentionCases(lengths))
  test(`K1 ${name} over several blocks is the reference within the bound of its derivation`, async t => {
    for (const engine of engines) {
      let most = 0
      await fc.assert(
        fc.asyncProperty(problem, async one => {
          const { ratio, at } = await kernelDiscrepancy(engine, one)
          most = Math.max(most, ratio)
          if (ratio > 1) throw new Error(`${ratio} times the bound at ${at}`)
        }),
        { numRuns: 4 },
      )
      t.pass(`${engine.backend}: at most ${most.toPrecision(2)} of the bound`)
    }
    t.end()
  })

const HEADS = 2
const WIDTH = HEADS * 16
const options = { heads: HEADS, causal: true }

/** Query, key, value and a cotangent of `time` positions in `batch` rows. */
const operands = (engine: Engine, time: number, batch = 1): readonly [Tensor, Tensor, Tensor, Tensor] => {
  const operand = (seed: number): Tensor => {
    const row = numbers(time * WIDTH, seed)
    return tensor(
      engine,
      [batch, time, WIDTH],
      Float32Array.from({ length: batch * row.length }, (_, i) => row[i % row.length] ?? 0),
    )
  }
  return [operand(1), operand(2), operand(3), operand(4)]
}

const forwardAndBack = (query: Tensor, key: Tensor, value: Tensor, dOut: Tensor): readonly Tensor[] => {
  const attended = attention(query, key, value, options)
  const { dQuery, dKey, dValue } = attentionPullback(dOut, query, key, value, attended, options)
  return [attended.value, dQuery, dKey, dValue]
}

test('L1: gradients and values depend neither on the batch nor on threads', t => {
  const results = (given: WasmOptions, batch: number) =>
    scope(() => forwardAndBack(...operands(wasmEngine(given), 300, batch)).map(x => readNow(x).slice(-300 * WIDTH)))
  const alone = results({}, 1)
  for (const [name, given, batch] of [
    ['the last of a batch of 3', {}, 3],
    ['two threads', { threads: 2, splitFrom: 0 }, 1],
    ['three threads, a batch', { threads: 3, splitFrom: 0 }, 2],
  ] as const)
    results(given, batch).forEach((x, i) => {
      t.ok(sameBits(x, alone[i] ?? []), `${name}: result ${i}`)
    })
  t.end()
})

const MEBIBYTE = 2 ** 20
/** Over the operands: scratch memory, sizes rounded up, and what the engine holds from its start. */
const ALLOWANCE = 1.05

test('memory of attention and its pullback grows with the positions, not with their square', t => {
  for (const time of [256, 1024, 4096]) {
    const most = (use: (...given: readonly [Tensor, Tensor, Tensor, Tensor]) => unknown): number => {
      const free = wasmEngine()
      scope(() => void use(...operands(free, time)))
      return free.counter.peakBytes
    }
    const bytes = most(forwardAndBack)
    t.equal(bytes, 4 * (8 * time * WIDTH + HEADS * time), `${time} positions: operands, results and logSumExp alone`)
    const engine = wasmEngine({ maximumBytes: ALLOWANCE * bytes + MEBIBYTE })
    scope(() => void forwardAndBack(...operands(engine, time)))
    t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
    if (time < 1024) continue
    t.throws(
      () =>
        scope(() => {
          const [query, key, value] = operands(engine, time)
          return attentionWeights(query, key, attentionSizes(query, key, value, options))
        }),
      OutOfMemoryError,
      `negative control: weights of ${time} x ${time} do not fit`,
    )
  }
  t.end()
})
