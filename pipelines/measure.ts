/**
 * Where decoding and reading a prompt stand under this machine's roofline (Williams et al. 2009): predicted time = max(FLOPs / FLOP/s, bytes / byte/s).
 * Both ceilings are measured, and the engine's own kernels': a matmul of 512, and a row times a matrix as large as the model, so that the same caches
 * serve both.
 */
import type { Weights } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { linear } from '../src/kernel/linear.ts'
import { scope } from '../src/tensor/scope.ts'
import { read, sizeOf, type Tensor, tensor } from '../src/tensor/tensor.ts'
import { tokens } from '../src/tensor/tokens.ts'
import { decoder, truncate } from './decoder.ts'
import { type LanguageModel, nextLogits } from './languageModel.ts'

/** One forward pass. */
export interface MeasuredPass {
  /** Positions before it, in the cache. */
  readonly position: number
  /** Tokens it takes at once. */
  readonly tokens: number
  readonly flops: number
  /** Of tensors read and written by kernels. */
  readonly bytes: number
  readonly predictedMilliseconds: number
  /** The median of its runs, logits read. */
  readonly milliseconds: number
}

export interface Measurement {
  /** What the engine's matmul and GEMV reach, the best of their runs. */
  readonly flopsPerSecond: number
  readonly bytesPerSecond: number
  /** The next token, after 32 others. */
  readonly decode: MeasuredPass
  /** A prompt of 128 tokens, or as many as the model takes. */
  readonly prefill: MeasuredPass
}

const SIDE = 512
const WIDTH = 1024
const POSITION = 32
const PROMPT = 128
/** Milliseconds that one figure may take, after its first run. */
const BUDGET = 250
/** The matrix of the GEMV, in numbers. */
const SMALLEST = 2 ** 18
const LARGEST = 2 ** 25

/** Milliseconds of each run, the first left out: it warms up. A run ends when its result is read. */
const timed = async (run: () => Tensor): Promise<readonly number[]> => {
  const times: number[] = []
  const begin = performance.now()
  for (let i = 0; i < 3 || performance.now() - begin < BUDGET; i++) {
    const start = performance.now()
    const result = run()
    await read(result)
    result.release()
    if (i > 0) times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)
}

const ones = (engine: Engine, rows: number, columns: number): Tensor =>
  tensor(engine, [rows, columns], new Float32Array(rows * columns).fill(1))

/** x W a second, for x (rows, inner) and W (inner, columns): best of several. */
const productsPerSecond = async (engine: Engine, rows: number, inner: number, columns: number): Promise<number> => {
  const [x, weight] = [ones(engine, rows, inner), ones(engine, inner, columns)]
  const [best = Number.NaN] = await timed(() => linear(x, weight, null, false))
  for (const operand of [x, weight]) operand.release()
  return 1000 / best
}

/** Decodes some tokens of no meaning, and compares their time with what the machine's ceilings allow. Some seconds. */
export const measure = async (model: LanguageModel, parameters: Weights, engine: Engine): Promise<Measurement> => {
  const size = Object.values(parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const rows = Math.ceil(Math.min(Math.max(size, SMALLEST), LARGEST) / WIDTH)
  const flopsPerSecond = 2 * SIDE ** 3 * (await productsPerSecond(engine, SIDE, SIDE, SIDE))
  const bytesPerSecond = rows * WIDTH * engine.bytesPerElement * (await productsPerSecond(engine, 1, rows, WIDTH))

  const pass = async (position: number, count: number): Promise<MeasuredPass> => {
    const capacity = position + count
    const machine = decoder(nextLogits(model), { parameters, capacity })
    let state = scope(() => machine.step(machine.init(), tokens(new Int32Array(capacity)))[1])
    const before = { ...engine.counter }
    const times = await timed(() => {
      const [logits, next] = scope(() => machine.step(truncate(state, position), tokens(new Int32Array(count))))
      state = next
      return logits
    })
    for (const cache of Object.values(state.caches)) cache.release()
    const runs = times.length + 1
    const flops = (engine.counter.flops - before.flops) / runs
    const bytes = (engine.counter.movedBytes - before.movedBytes) / runs
    return {
      position,
      tokens: count,
      flops,
      bytes,
      predictedMilliseconds: 1000 * Math.max(flops / flopsPerSecond, bytes / bytesPerSecond),
      milliseconds: times[times.length >> 1] ?? Number.NaN,
    }
  }
  return {
    flopsPerSecond,
    bytesPerSecond,
    decode: await pass(Math.min(POSITION, model.positions - 1), 1),
    prefill: await pass(0, Math.min(PROMPT, model.positions)),
  }
}
