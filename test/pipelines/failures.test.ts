/**
 * What fails under a stream: memory that is full, a worker that throws, a worker that dies. The stream ends with one error that names the cause, all
 * that it held is freed, and the engine goes on or fails at once from then on, as it says.
 */
import type { Worker } from 'node:worker_threads'
import type { Observable } from 'rxjs'
import test from 'tape'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { generate } from '../../pipelines/generate.ts'
import { gpt } from '../../pipelines/gpt.ts'
import { everyLogits } from '../../pipelines/languageModel.ts'
import { upload } from '../../pipelines/parameters.ts'
import { trainingRun } from '../../pipelines/trainingRun.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { Gpt2Config } from '../../src/codec/gpt2.ts'
import { TrainingOptions } from '../../src/codec/training.ts'
import type { Named } from '../../src/context.ts'
import { type WasmEngine, wasmEngine } from '../../src/engine/wasm/engine.ts'
import { OutOfMemoryError } from '../../src/engine/wasm/memory.ts'
import { ThreadError } from '../../src/engine/wasm/threads.ts'
import { EngineError } from '../../src/errors.ts'
import { f32, type HostTensors } from '../../src/format/hostTensor.ts'
import { initialize } from '../../src/initialize.ts'
import { add } from '../../src/kernel/binary.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { live } from './support.ts'

const MEBIBYTE = 2 ** 20
const PATIENCE = 200
const tokenizer = trainCharacterTokenizer(['abcdefghijklmnop'])
const config = decodeOrThrow(
  Gpt2Config,
  { vocab_size: 16, n_positions: 4096, n_embd: 64, n_layer: 2, n_head: 2, embd_pdrop: 0, resid_pdrop: 0 },
  'config',
)
const model = gpt(config)
const weights: HostTensors = scope(() => {
  const engine = wasmEngine()
  const parameters = initialize(everyLogits(model), tokens([0]), engine, key(1))
  return new Map(
    Object.entries(parameters).map(([name, x]) => [name, f32(x.shape, Float32Array.from(readNow(x)))] as const),
  )
})
const PROMPT = Int32Array.of(1, 2, 3)

const decode = (parameters: Named, count: number) =>
  generate({ model, parameters, tokenizer }, PROMPT, { tokens: count, seed: 5 })
const text = Int32Array.from({ length: 5000 }, (_, i) => (i * i) % 16)
const training = (engine: WasmEngine, batch: number, steps = 3) =>
  trainingRun({
    engine,
    config: { ...config, n_positions: 16 },
    options: decodeOrThrow(
      TrainingOptions,
      { steps, batch, block: 16, warmup: 1, evaluateEvery: 0, checkpointEvery: 0, seed: 3 },
      'options',
    ),
    training: text,
    validation: text.subarray(0, 60),
    from: null,
  })

/** What a stream emitted, and the error that ended it. */
const ended = <T>(
  stream: Observable<T>,
): Promise<{ readonly values: readonly T[]; readonly errors: readonly unknown[] }> =>
  new Promise(resolve => {
    const values: T[] = []
    const errors: unknown[] = []
    stream.subscribe({
      next: value => values.push(value),
      error: error => {
        errors.push(error)
        // Whatever else arrives is there by then.
        setImmediate(() => resolve({ values, errors }))
      },
      complete: () => resolve({ values, errors }),
    })
  })
const idsOf = async (parameters: Named, count: number): Promise<readonly number[]> =>
  (await ended(decode(parameters, count))).values.map(({ token }) => token)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
const releaseAll = (parameters: Named): void => {
  for (const parameter of Object.values(parameters)) parameter.release()
}

for (const threads of [1, 2])
  test(`S15 memory that is full ends a stream, and the engine goes on (threads: ${threads})`, async t => {
    const expected = await idsOf(upload(weights, wasmEngine()), 12)
    const engine = wasmEngine({ maximumBytes: 4 * MEBIBYTE, threads, splitFrom: 0 })
    const parameters = upload(weights, engine)
    const before = live(engine)
    for (const attempt of [1, 2]) {
      const { values, errors } = await ended(decode(parameters, 4090))
      t.deepEqual([values.length, errors.length], [0, 1], `attempt ${attempt}: caches of 4 MiB do not fit`)
      t.ok(errors[0] instanceof OutOfMemoryError && errors[0].usable, 'a typed error that says that the engine goes on')
      t.match(messageOf(errors[0]), /out of memory: \d\.\d MiB more asked, \d\.\d MiB in use, 4\.0 MiB at most/)
      t.equal(live(engine), before, 'all that the stream held is freed')
    }
    t.deepEqual(await idsOf(parameters, 12), expected, 'what fits is computed as ever')
    releaseAll(parameters)
    const { errors } = await ended(training(engine, 256))
    t.ok(errors.length === 1 && errors[0] instanceof OutOfMemoryError, 'training too')
    t.equal(live(engine), 0)
    const { values } = await ended(training(engine, 1))
    t.equal(values.length, 3, 'a smaller batch trains')
    const little = wasmEngine({ maximumBytes: MEBIBYTE })
    t.throws(() => upload(weights, little), OutOfMemoryError)
    t.equal(live(little), 0, 'a model that does not fit leaves nothing behind')
    engine.close()
    t.end()
  })

/** An engine whose workers are those of the library but for one line of their program. */
const withWorkers = (
  line: string,
  instead: string,
): { readonly engine: WasmEngine; readonly workers: readonly Worker[] } => {
  const { getBuiltinModule } = process
  const workers: Worker[] = []
  const { Worker: Thread } = getBuiltinModule('node:worker_threads')
  class Mortal extends Thread {
    constructor(source: string, options: object) {
      if (!source.includes(line)) throw new RangeError(`the worker's program has no line ${line}`)
      super(source.replace(line, instead), options)
      workers.push(this)
    }
  }
  const replaced = (id: string): unknown =>
    id === 'node:worker_threads' ? { Worker: Mortal } : Reflect.apply(getBuiltinModule, process, [id])
  Object.defineProperty(process, 'getBuiltinModule', { value: replaced, configurable: true, writable: true })
  try {
    const engine = wasmEngine({ threads: 2, splitFrom: 0, patience: PATIENCE })
    if (!engine.warm()) throw new Error(engine.fallbackReason)
    return { engine, workers }
  } finally {
    Object.defineProperty(process, 'getBuiltinModule', { value: getBuiltinModule, configurable: true, writable: true })
  }
}

/** The line of a worker that runs a share, and what it does at the n-th instead. */
const RUN = 'kernels[job[l.KERNEL]](...values)'
const at = (share: number, what: string) =>
  `if (thread > 0 && (globalThis.shares = (globalThis.shares ?? 0) + 1) === ${share}) { ${what} } ${RUN}`

test('S15 a kernel that throws in a worker ends the stream; the engine goes on with one thread', async t => {
  const expected = await idsOf(upload(weights, wasmEngine()), 12)
  for (const share of [1, 50, 300]) {
    const { engine } = withWorkers(RUN, at(share, "throw new RangeError('on purpose')"))
    const parameters = upload(weights, engine)
    const before = live(engine)
    const { values, errors } = await ended(decode(parameters, 4000))
    const [error] = errors
    t.ok(errors.length === 1 && error instanceof ThreadError && error.usable, `share ${share}: one typed error`)
    t.match(messageOf(error), /failed on a thread of the wasm engine: RangeError: on purpose; the engine is usable/)
    t.comment(`after ${values.length} tokens: ${messageOf(error)}`)
    t.equal(live(engine), before, 'all that the stream held is freed')
    t.equal(engine.threads, 1)
    t.match(engine.fallbackReason, /on purpose/, 'the engine says why it has one thread')
    t.deepEqual(await idsOf(parameters, 12), expected, 'and computes as ever')
  }
  t.end()
})

test('S15 a worker that dies inside a kernel ends the stream; the engine fails at once from then on', async t => {
  for (const [what, streamOf] of [
    ['decoding', (engine: WasmEngine): Observable<unknown> => decode(upload(weights, engine), 4000)],
    ['training', (engine: WasmEngine): Observable<unknown> => training(engine, 2, 1000)],
  ] as const) {
    const { engine } = withWorkers(RUN, at(100, 'process.exit(7)'))
    const held = live(engine)
    const stream = streamOf(engine)
    const uploaded = live(engine) - held
    const { errors } = await ended(stream)
    const [error] = errors
    t.ok(errors.length === 1 && error instanceof ThreadError && !error.usable, `${what}: one typed error`)
    t.match(messageOf(error), /a worker .* has not finished \w+ for 0\.2 s: the engine is not usable any more/)
    t.equal(live(engine) - held, uploaded, 'all that the stream held is freed')
    const began = performance.now()
    const calls: readonly (() => unknown)[] = [
      () => tensor(engine, [2], [1, 2]),
      () => scope(() => add(tensor(engine, [2], [1, 2]), tensor(engine, [2], [1, 2]))),
      () => upload(weights, engine),
    ]
    for (const call of calls) t.throws(call, new RegExp(messageOf(error)), 'later calls fail with the same cause')
    const again = await ended(training(engine, 1))
    t.equal(messageOf(again.errors[0]), messageOf(error), 'so does another stream')
    t.ok(performance.now() - began < PATIENCE, 'at once')
    t.equal(engine.threads, 0)
    t.ok(engine.fallbackReason.endsWith(messageOf(error)), 'the engine says so itself')
  }
  t.end()
})

test('S15 a worker that is killed while a stream runs', async t => {
  const expected = await idsOf(upload(weights, wasmEngine()), 60)
  const outcomes = { finished: 0, failed: 0 }
  for (let i = 0; i < 6; i++) {
    const { engine, workers } = withWorkers(RUN, RUN)
    const parameters = upload(weights, engine)
    const before = live(engine)
    const running = ended(decode(parameters, 60))
    setTimeout(() => workers.forEach(worker => void worker.terminate()), 3 * i)
    const { values, errors } = await running
    t.equal(live(engine), before, 'nothing is left')
    if (errors.length === 0) {
      outcomes.finished++
      t.deepEqual(
        values.map(({ token }) => token),
        expected,
        'killed between two kernels: every token is right',
      )
      continue
    }
    outcomes.failed++
    t.ok(errors.length === 1 && errors[0] instanceof EngineError, 'killed inside one: a typed error')
  }
  t.comment(JSON.stringify(outcomes))
  t.end()
})
