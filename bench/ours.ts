/** Our side of the rows, through the library's own pipelines. */
import { lastValueFrom, Subject, tap } from 'rxjs'
import { adamW, chain, clipByGlobalNorm } from '../operators/optimizer/index.ts'
import { trainCharacterTokenizer } from '../operators/token/character.ts'
import { generate } from '../pipelines/generate.ts'
import { gpt } from '../pipelines/gpt.ts'
import { everyLogits, type LanguageModel, nextLogits } from '../pipelines/languageModel.ts'
import { upload } from '../pipelines/parameters.ts'
import { presetConfig, presets, presetTraining } from '../pipelines/presets.ts'
import type { Batch } from '../pipelines/textBatches.ts'
import { train } from '../pipelines/train.ts'
import { trainer } from '../pipelines/trainer.ts'
import { encodeParts, learnTokenizer, splitText } from '../pipelines/trainingData.ts'
import { trainingRun } from '../pipelines/trainingRun.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { GenerationOptions } from '../src/codec/generation.ts'
import { Gpt2Config } from '../src/codec/gpt2.ts'
import { context, engineOf, type Weights } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { type WasmEngine, wasmEngine } from '../src/engine/wasm/engine.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { key } from '../src/random.ts'
import { isTensor } from '../src/tensor/quantizedMatrix.ts'
import { scope } from '../src/tensor/scope.ts'
import { readNow } from '../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../src/tensor/tokens.ts'
import type { GptShape } from './weights.ts'

/** Threads of our side, where a row does not say otherwise. */
export const THREADS = 2

/** The engine of all rows. */
export const benchEngine = (threads = THREADS): WasmEngine => {
  const engine = wasmEngine({ threads })
  engine.warm()
  return engine
}

export const configOf = ({ vocabulary, block, layers, heads, width, bias = false }: GptShape): Gpt2Config =>
  decodeOrThrow(
    Gpt2Config,
    {
      vocab_size: vocabulary,
      n_positions: block,
      n_embd: width,
      n_layer: layers,
      n_head: heads,
      bias,
      activation_function: 'gelu',
      embd_pdrop: 0,
      resid_pdrop: 0,
      attn_pdrop: 0,
    },
    'bench',
  )

export const modelOf = (shape: GptShape): LanguageModel => gpt(configOf(shape))

export const optimizer = (rate: number) =>
  chain(clipByGlobalNorm(1), adamW({ rate, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 }))

export interface Steps {
  /** Loss of each step, before its update. */
  readonly losses: readonly number[]
  readonly milliseconds: number
}

export interface GptTrainer {
  readonly backend: string
  /** Steps over batches x, y (steps, batch, block), from where the last call ended. */
  train(x: readonly number[][][], y: readonly number[][][]): Promise<Steps>
  close(): void
}

export const batchTokens = (rows: readonly (readonly number[])[] = []): Tokens =>
  tokens(rows.flat(), [rows.length, rows[0]?.length ?? 0])

/** One training run, stream and all, that advances by as many steps as it is asked for. */
export const gptTrainer = (
  shape: GptShape,
  weights: HostTensors,
  rate: number,
  engine: Engine = benchEngine(),
): GptTrainer => {
  const queue: Batch[] = []
  const demand$ = new Subject<number>()
  let losses: number[] = []
  let settle = { done: () => {}, fail: (_: unknown) => {} }
  const machine = optimizer(rate)
  const run = train({
    trainer: trainer(
      everyLogits(modelOf(shape)),
      machine,
      () => ({ parameters: upload(weights, engine), optimizer: machine.init(), step: 0 }),
      key(0),
    ),
    batchAt: () => queue.shift() ?? null,
    demand$,
  }).subscribe({
    next: ({ loss }) => {
      losses.push(loss)
      if (queue.length === 0) settle.done()
    },
    error: reason => settle.fail(reason),
  })
  return {
    backend: engine.backend,
    train: async (x, y) => {
      losses = []
      for (const [index, rows] of x.entries())
        queue.push({ index, inputs: batchTokens(rows), targets: batchTokens(y[index]) })
      const start = performance.now()
      await new Promise<void>((done, fail) => {
        settle = { done, fail }
        demand$.next(x.length)
      })
      return { losses, milliseconds: performance.now() - start }
    },
    close: () => run.unsubscribe(),
  }
}

export interface Decoded {
  readonly ids: readonly number[]
  readonly milliseconds: number
}

export interface GptDecoder {
  readonly backend: string
  /** Feeds the prompt, then times `count` greedy steps. */
  decode(prompt: readonly number[], count: number): Promise<Decoded>
  /** Milliseconds from subscribing to the first token after a prompt. */
  prefill(prompt: readonly number[]): Promise<number>
  /** Logits after the last of these tokens, without a cache. */
  logits(ids: readonly number[]): ArrayLike<number>
  close(): void
}

/** As many characters as the model has tokens; which ones does not matter. */
export const characters = (count: number): string =>
  Array.from({ length: count }, (_, i) => String.fromCodePoint(33 + i)).join('')

/** Greedy text through `generate`: the cached decoder, sampler, detokenizer and stop rules, as a user gets it. */
export const textDecoder = (model: LanguageModel, parameters: Weights): GptDecoder => {
  const tokenizer = trainCharacterTokenizer([characters(model.vocabulary)])
  return {
    backend: engineOf(parameters).backend,
    decode: async (prompt, count) => {
      // From the first token, which ends the prompt's pass, to one more than `count`: as many passes.
      const options = decodeOrThrow(GenerationOptions, { tokens: count + 1, greedy: true }, 'bench')
      const ids: number[] = []
      const times: number[] = []
      await lastValueFrom(
        generate({ model, parameters, tokenizer }, Int32Array.from(prompt), options).pipe(
          tap(({ token }) => {
            ids.push(token)
            times.push(performance.now())
          }),
        ),
      )
      return { ids: ids.slice(0, count), milliseconds: (times.at(-1) ?? 0) - (times[0] ?? 0) }
    },
    prefill: async prompt => {
      const start = performance.now()
      await lastValueFrom(
        generate({ model, parameters, tokenizer }, Int32Array.from(prompt), { tokens: 1, greedy: true }),
      )
      return performance.now() - start
    },
    logits: ids => scope(() => readNow(nextLogits(model)(context(parameters), tokens(ids)).value)),
    close: () => {
      for (const weight of Object.values(parameters)) (isTensor(weight) ? weight : weight.cells).release()
    },
  }
}

export const gptDecoder = (shape: GptShape, weights: HostTensors, engine: Engine = benchEngine()): GptDecoder =>
  textDecoder(modelOf(shape), upload(weights, engine))

export interface Quality {
  /** Nats a character over all of the validation text. */
  readonly loss: number
}

/** The preset `nanogpt-cpu` from its first weights to its score. */
export const trainNanogpt = async (
  text: string,
  seed: number,
  watch: (step: number, loss: number) => void,
): Promise<Quality> => {
  const preset = presets['nanogpt-cpu']
  const options = presetTraining(preset, { seed, evaluateEvery: 0, checkpointEvery: 0 }, 'bench')
  const parts = splitText(text, options.validation)
  const tokenizer = learnTokenizer(preset.tokenizer, parts)
  const run = trainingRun({
    engine: benchEngine(),
    config: presetConfig(preset, tokenizer.vocabularySize, options.dropout),
    options,
    ...encodeParts(tokenizer, parts, options.block),
    from: null,
  })
  const { validation } = await lastValueFrom(
    run.pipe(
      tap(({ step, loss }) => {
        if (step % 250 === 0) watch(step, loss)
      }),
    ),
  )
  if (validation === null) throw new Error('the last step was not validated')
  return { loss: validation }
}
