/** Runs in the browser: law K1 of kernels and operators on every mode of the gpu engine that answers there, and what decoding costs on WebGPU. */
import fc from 'fast-check'
import { lastValueFrom, toArray } from 'rxjs'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { generate } from '../../pipelines/generate.ts'
import { gpt } from '../../pipelines/gpt.ts'
import { everyLogits } from '../../pipelines/languageModel.ts'
import { presetConfig, presets } from '../../pipelines/presets.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { gpuEngine } from '../../src/engine/gpu/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { EngineError } from '../../src/errors.ts'
import { initialize } from '../../src/initialize.ts'
import { key } from '../../src/random.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { largeProblems } from '../engine/gpu/largeProblems.ts'
import { kernelCases } from '../kernel/problems.ts'
import { kernelDiscrepancy, type Problem } from '../laws/kernel.ts'
import { operatorProblems, optimizerProblems } from '../operators/cases.ts'
import { diffusionProblems } from '../operators/diffusionCases.ts'

const SEED = 11
const operators = [...operatorProblems, ...diffusionProblems, ...optimizerProblems]
/** Random problems a kernel. */
const RUNS = { webgpu: 6, webgl2: 2, webasm: 2 }

/** What breaks law K1. */
const failures = async (engine: Engine, problems: readonly Problem[]): Promise<readonly string[]> => {
  const failed: string[] = []
  for (const problem of problems) {
    const { ratio, at } = await kernelDiscrepancy(engine, problem)
    if (ratio > 1) failed.push(`${ratio.toPrecision(3)} times the bound at ${at}`)
  }
  return failed
}

const decode = async (engine: Engine): Promise<readonly number[]> => {
  const tokenizer = trainCharacterTokenizer(['abcdefghijklmnop'])
  const model = gpt(presetConfig(presets.tiny, tokenizer.vocabularySize, 0))
  const parameters = initialize(everyLogits(model), tokens([0]), engine, key(7))
  const options = { tokens: 8, seed: 5 }
  const all = await lastValueFrom(
    generate({ model, parameters, tokenizer }, Int32Array.of(1, 2, 3), options).pipe(toArray()),
  )
  return all.map(({ token }) => token)
}

const onMode = async (mode: keyof typeof RUNS): Promise<object> => {
  try {
    const engine = gpuEngine({ mode })
    await engine.ready
    const sampled = kernelCases.flatMap(({ problem }) => fc.sample(problem, { seed: SEED, numRuns: RUNS[mode] }))
    const problems = [...sampled, ...operators, ...(mode === 'webgpu' ? largeProblems : [])]
    const failed = await failures(engine, problems)
    const { backend, adapter, fallbackReason } = engine
    const left = engine.counter.allocated - engine.counter.freed
    await engine.destroy()
    return { problems: problems.length, failed, left, backend, adapter, fallbackReason }
  } catch (error) {
    return { error: String(error) }
  }
}

/** What a WebGL engine says whose context is lost, when it reads and at its next launch. */
const lostContext = async (): Promise<readonly unknown[]> => {
  const contexts: WebGL2RenderingContext[] = []
  for (const { prototype } of [HTMLCanvasElement, OffscreenCanvas]) {
    const getContext: unknown = Reflect.get(prototype, 'getContext')
    if (typeof getContext !== 'function') continue
    Reflect.set(prototype, 'getContext', function (this: unknown, ...options: readonly unknown[]) {
      const context: unknown = Reflect.apply(getContext, this, options)
      if (context instanceof WebGL2RenderingContext) contexts.push(context)
      return context
    })
  }
  const engine = gpuEngine({ mode: 'webgl2' })
  const x = engine.allocate(3)
  const launch = () => engine.primitives.fill(x, 2, 3)
  launch()
  const before = Array.from(await engine.read(x, 3))
  for (const context of contexts) context.getExtension('WEBGL_lose_context')?.loseContext()
  const said = async (body: () => unknown): Promise<string> => {
    try {
      return `none: ${await body()}`
    } catch (error) {
      return `${error}, ${error instanceof EngineError && !error.usable}`
    }
  }
  const errors = [await said(() => engine.read(x, 3)), await said(launch)]
  engine.free(x)
  return [before, ...errors, engine.counter.allocated - engine.counter.freed]
}

const run = async (): Promise<object> => {
  const modes: Record<string, object> = {}
  for (const mode of ['webgpu', 'webgl2', 'webasm'] as const) modes[mode] = await onMode(mode)
  const engine = gpuEngine({ mode: 'webgpu' })
  const decoded = await decode(engine)
  const { submissions, readbacks } = engine.work
  const lost = await lostContext()
  return { modes, decoded, expected: await decode(wasmEngine()), submissions, readbacks, lost }
}

run().then(
  result => document.body.setAttribute('data-result', JSON.stringify(result)),
  (error: unknown) => document.body.setAttribute('data-result', JSON.stringify({ error: String(error) })),
)
