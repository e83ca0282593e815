/** What is the gpu engine's own on WebGPU, in Node: large problems, one submission a step, dead work, lost devices. */
import { lastValueFrom, take, tap, toArray } from 'rxjs'
import test from 'tape'
import { adamW, chain, clipByGlobalNorm } from '../../../operators/optimizer/index.ts'
import { trainCharacterTokenizer } from '../../../operators/token/character.ts'
import { generate } from '../../../pipelines/generate.ts'
import { gpt } from '../../../pipelines/gpt.ts'
import { everyLogits } from '../../../pipelines/languageModel.ts'
import { download, upload } from '../../../pipelines/parameters.ts'
import { presetConfig, presets } from '../../../pipelines/presets.ts'
import { randomWindows } from '../../../pipelines/textBatches.ts'
import { train } from '../../../pipelines/train.ts'
import { trainer } from '../../../pipelines/trainer.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { gpuEngine } from '../../../src/engine/gpu/engine.ts'
import type { WebgpuEngine } from '../../../src/engine/gpu/webgpu/engine.ts'
import { openEngine } from '../../../src/engine/open.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { EngineError } from '../../../src/errors.ts'
import { initialize } from '../../../src/initialize.ts'
import { key, uniform } from '../../../src/random.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import { kernelDiscrepancy } from '../../laws/kernel.ts'
import { testAdapter } from './adapter.ts'
import { largeProblems } from './largeProblems.ts'
import { storageOf } from './support.ts'

const found = await testAdapter()
const open = () => gpuEngine({ mode: 'webgpu' })

const tokenizer = trainCharacterTokenizer(['abcdefghijklmnop'])
const model = gpt(presetConfig(presets.tiny, tokenizer.vocabularySize, 0))
const logits = everyLogits(model)
const values = await download(initialize(logits, tokens([0]), wasmEngine(), key(7)))
const decode = (engine: Engine, count: number) =>
  generate({ model, parameters: upload(values, engine), tokenizer }, Int32Array.of(1, 2, 3), {
    tokens: count,
    greedy: true,
  })
const live = (engine: Engine): number => engine.counter.allocated - engine.counter.freed
const settle = (milliseconds = 20) => new Promise(resolve => setTimeout(resolve, milliseconds))

/** What the device is asked for from now on. */
const watch = ({ device }: WebgpuEngine) => {
  if (device === null) throw new Error('a device that is ready')
  const asked = { submissions: 0, bindGroups: 0 }
  const submit = device.queue.submit.bind(device.queue)
  device.queue.submit = buffers => {
    asked.submissions++
    return submit(buffers)
  }
  const bind = device.createBindGroup.bind(device)
  device.createBindGroup = descriptor => {
    asked.bindGroups++
    return bind(descriptor)
  }
  return asked
}

const training = (engine: Engine, steps: number) => {
  const optimizer = chain(clipByGlobalNorm(1), adamW({ rate: 1e-2 }))
  const windows = randomWindows(
    Int32Array.from({ length: 400 }, (_, i) => (i * i) % 13),
    { batch: 2, block: 8 },
    key(2),
  )
  return train({
    trainer: trainer(
      logits,
      optimizer,
      () => ({ parameters: upload(values, engine), optimizer: optimizer.init(), step: 0 }),
      key(3),
    ),
    batchAt: index => (index < steps ? windows(index) : null),
  })
}

if (typeof found === 'string')
  test('WebGPU', t => {
    t.comment(`skipped: ${found}; Debian's chromium carries a software one`)
    t.end()
  })
else {
  test('K1 beyond a tile, a workgroup and a piece of a row', async t => {
    const engine = open()
    for (const problem of largeProblems) {
      const { ratio, at } = await kernelDiscrepancy(engine, problem)
      t.ok(ratio <= 1, `${problem.label}: ${ratio.toPrecision(2)} of the bound${ratio > 1 ? ` at ${at}` : ''}`)
    }
    const out = engine.allocate(5000)
    engine.primitives.uniform(out, key(11), 5000)
    t.deepEqual(await engine.read(out, 5000), uniform(key(11), 5000), 'R4 the bits of the host')
    const x = storageOf(engine, new Float32Array(5000).fill(1))
    engine.fused.dropout?.(out, x, key(11), 0.3, 5000)
    const kept = Float32Array.from(uniform(key(11), 5000), u => (u >= 0.3 ? 1 : 0))
    t.deepEqual(
      Float32Array.from(await engine.read(out, 5000), v => (v === 0 ? 0 : 1)),
      kept,
      'and the mask of the host',
    )
    await engine.destroy()
    t.end()
  })

  test('auto takes this adapter only if it is no software', async t => {
    const { engine, reason } = await openEngine('auto')
    t.equal(engine.backend === 'webgpu', !found.software, reason)
    if (found.software) t.ok(reason.includes(`${found.name}, computes on the CPU`), 'and the reason names it')
    t.end()
  })

  test('one submission and one readback a token', async t => {
    const engine = open()
    await engine.ready
    const asked = watch(engine)
    const ids: number[] = []
    const counts: number[] = []
    const groups: number[] = []
    const made: number[] = []
    await lastValueFrom(decode(engine, 12).pipe(toArray())).then(all => ids.push(...all.map(({ token }) => token)))
    t.equal(asked.submissions, 12, '12 tokens, the first after its prompt')
    t.equal(engine.work.submissions, 12)
    t.equal(engine.work.readbacks, 12)
    const expected = (await lastValueFrom(decode(wasmEngine(), 12).pipe(toArray()))).map(({ token }) => token)
    t.deepEqual(ids, expected, 'the tokens of the wasm engine')
    const running = decode(engine, 14).subscribe(() => {
      counts.push(asked.submissions)
      made.push(engine.memory.made)
      groups.push(asked.bindGroups)
    })
    while (!running.closed) await settle(5)
    t.deepEqual(
      counts.map((count, i) => count - (counts[i - 1] ?? count - 1)),
      Array(14).fill(1),
      'each token costs one',
    )
    t.equal(made.at(-1), made[7], 'and, after the first, no new memory')
    t.equal(groups.at(-1), groups[7], 'nor new bind groups')
    await engine.destroy()
    t.end()
  })

  test('one submission and one readback a training step, with the losses of the wasm engine', async t => {
    const engine = open()
    await engine.ready
    const asked = watch(engine)
    const groups: number[] = []
    const steps = 12
    const losses = await lastValueFrom(
      training(engine, steps).pipe(
        tap(() => groups.push(asked.bindGroups)),
        toArray(),
      ),
    )
    const expected = await lastValueFrom(training(wasmEngine(), steps).pipe(toArray()))
    const worst = Math.max(...losses.map(({ loss }, i) => Math.abs(loss - (expected[i]?.loss ?? 0))))
    t.ok(worst < 1e-4, `losses differ by ${worst.toExponential(1)}`)
    t.equal(losses.length, steps)
    t.equal(asked.submissions, steps, `${steps} submissions, the last without the update that nobody reads`)
    t.equal(engine.work.readbacks, steps, 'as many readbacks')
    t.equal(groups.at(-1), groups.at(-3), 'and at last no new bind groups')
    await settle()
    t.equal(live(engine), 0, 'S15 nothing is left')
    await engine.destroy()
    t.end()
  })

  test('S10 what nobody waits for is never submitted', async t => {
    const engine = open()
    const x = storageOf(engine, [1, 2, 3])
    await engine.read(x, 3)
    const { launches } = engine.work
    const [y, z] = [engine.allocate(3), engine.allocate(3)]
    engine.primitives.unary('exp', y, x, 3)
    engine.primitives.unary('exp', z, y, 3)
    engine.free(z)
    await settle()
    t.deepEqual([engine.work.launches - launches, engine.work.dropped], [0, 1], 'a result freed unread is not computed')
    t.ok(Math.abs(((await engine.read(y, 1))[0] ?? 0) - Math.E) < 1e-5, 'another is')
    t.equal(engine.work.launches - launches, 1)
    engine.primitives.unary('exp', y, x, 3)
    engine.primitives.accumulate(y, x, 1, 3)
    engine.free(y)
    engine.free(x)
    await settle()
    t.equal(engine.work.dropped, 3, 'nor work in place on it')

    const stopped = decode(engine, 50).pipe(take(3))
    await lastValueFrom(stopped)
    const { submissions } = engine.work
    await settle(100)
    t.equal(engine.work.submissions, submissions, 'nothing is submitted after an unsubscribe')
    await engine.destroy()
    t.end()
  })

  test('a lost device is an error of the stream that names the cause', async t => {
    const engine = open()
    await engine.ready
    const kept = storageOf(engine, [1])
    let seen = 0
    const error = await new Promise<unknown>(resolve => {
      decode(engine, 1000).subscribe({
        next: () => {
          if (++seen === 3) engine.device?.destroy()
        },
        error: resolve,
      })
    })
    t.ok(error instanceof EngineError, String(error))
    t.match(String(error), /the GPU device was lost \(destroyed\).*; the engine is not usable any more$/)
    t.ok(seen < 10, `after ${seen} tokens`)
    t.throws(() => engine.allocate(3), EngineError, 'later calls fail at once')
    const after = await Promise.resolve(engine.read(kept, 1)).catch((reason: unknown) => reason)
    t.equal(after, error, 'with the same cause')
    engine.free(kept)
    await settle()
    t.equal(live(engine), values.size, 'S15 what the stream held is freed, the parameters given are not')
    await engine.destroy()
    t.end()
  })
}
