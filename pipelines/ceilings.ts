/**
 * A machine's roofline (Williams et al. 2009), as the engine's own kernels reach it: predicted time = max(FLOPs / FLOP/s, bytes / byte/s). The ceilings are a
 * matmul of 512, and a row times a matrix as large as the model, so that the same caches serve both.
 */
import type { Weights } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { linear } from '../src/kernel/linear.ts'
import { read, sizeOf, type Tensor, tensor } from '../src/tensor/tensor.ts'

export interface Ceilings {
  /** What the engine's matmul and GEMV reach, the best of their runs. */
  readonly flopsPerSecond: number
  readonly bytesPerSecond: number
}

/** Work and its time, beside what the ceilings allow. */
export interface Timed {
  readonly flops: number
  /** Of tensors read and written by kernels. */
  readonly bytes: number
  readonly predictedMilliseconds: number
  /** The median of its runs, the result read. */
  readonly milliseconds: number
}

const SIDE = 512
const WIDTH = 1024
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

/** The ceilings of an engine for a model of these parameters. */
export const ceilingsOf = async (engine: Engine, parameters: Weights): Promise<Ceilings> => {
  const size = Object.values(parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const rows = Math.ceil(Math.min(Math.max(size, SMALLEST), LARGEST) / WIDTH)
  return {
    flopsPerSecond: 2 * SIDE ** 3 * (await productsPerSecond(engine, SIDE, SIDE, SIDE)),
    bytesPerSecond: rows * WIDTH * engine.bytesPerElement * (await productsPerSecond(engine, 1, rows, WIDTH)),
  }
}

/** Runs some work on an engine for a quarter of a second. */
export const underCeilings = async (
  { flopsPerSecond, bytesPerSecond }: Ceilings,
  engine: Engine,
  run: () => Tensor,
): Promise<Timed> => {
  const before = { ...engine.counter }
  const times = await timed(run)
  const runs = times.length + 1
  const flops = (engine.counter.flops - before.flops) / runs
  const bytes = (engine.counter.movedBytes - before.movedBytes) / runs
  return {
    flops,
    bytes,
    predictedMilliseconds: 1000 * Math.max(flops / flopsPerSecond, bytes / bytesPerSecond),
    milliseconds: times[times.length >> 1] ?? Number.NaN,
  }
}
