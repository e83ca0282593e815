/** Our side of the rows, through the library's own pipelines. */
import { lastValueFrom, Subject, tap } from 'rxjs'
import { adamW, chain, clipByGlobalNorm, cosineDecay, type Rate } from '../operators/optimizer/index.ts'
import { trainCharacterTokenizer } from '../operators/token/character.ts'
import { decoder } from '../pipelines/decoder.ts'
import { evaluate } from '../pipelines/evaluate.ts'
import { gpt } from '../pipelines/gpt.ts'
import { everyLogits, type LanguageModel, nextLogits } from '../pipelines/languageModel.ts'
import { upload } from '../pipelines/parameters.ts'
import { presetConfig, presets, presetTraining } from '../pipelines/presets.ts'
import { type Batch, randomWindows } from '../pipelines/textBatches.ts'
import { train } from '../pipelines/train.ts'
import { trainer } from '../pipelines/trainer.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { Gpt2Config } from '../src/codec/gpt2.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { wasmEngine } from '../src/engine/wasm/engine.ts'
import type { HostTensors } from '../src/format/host-tensor.ts'
import { initialize } from '../src/initialize.ts'
import { fold, key } from '../src/random.ts'
import { read, readNow, tensor } from '../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../src/tensor/tokens.ts'
import { feedback } from '../streams/index.ts'
import type { GptShape } from './weights.ts'

/** The engine of all rows; single-threaded. */
export const benchEngine = (): Engine => wasmEngine()

const modelOf = ({ vocabulary, block, layers, heads, width }: GptShape): LanguageModel =>
  gpt(
    decodeOrThrow(
      Gpt2Config,
      {
        vocab_size: vocabulary,
        n_positions: block,
        n_embd: width,
        n_layer: layers,
        n_head: heads,
        bias: false,
        activation_function: 'gelu',
        embd_pdrop: 0,
        resid_pdrop: 0,
        attn_pdrop: 0,
      },
      'bench',
    ),
  )

const optimizer = (rate: Rate) => chain(clipByGlobalNorm(1), adamW({ rate, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 }))

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

const batchTokens = (rows: readonly number[][] = []): Tokens => tokens(rows.flat(), [rows.length, rows[0]?.length ?? 0])

/** One training run, stream and all, that advances by as many steps as it is asked for. */
export const gptTrainer = (shape: GptShape, weights: HostTensors, rate: number): GptTrainer => {
  const engine = benchEngine()
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
  /** After the last of them. */
  readonly logits: ArrayLike<number>
  readonly milliseconds: number
}

export interface GptDecoder {
  readonly backend: string
  /** Feeds the prompt, then times `count` greedy steps. */
  decode(prompt: readonly number[], count: number): Promise<Decoded>
  close(): void
}

const greedy = (logits: ArrayLike<number>): number => {
  let best = 0
  for (let i = 1; i < logits.length; i++) if ((logits[i] ?? 0) > (logits[best] ?? 0)) best = i
  return best
}

/** Cached decoding driven by its own output, through the stream that `generate` uses. */
export const gptDecoder = (shape: GptShape, weights: HostTensors): GptDecoder => {
  const engine = benchEngine()
  const parameters: Named = upload(weights, engine)
  const model = nextLogits(modelOf(shape))
  return {
    backend: engine.backend,
    decode: async (prompt, count) => {
      let start = 0
      const ids: number[] = []
      const logits = await lastValueFrom(
        feedback({
          device: decoder(model, { parameters, capacity: shape.block }),
          read,
          host: {
            init: () => 0,
            step: (step: number, values: ArrayLike<number>) => {
              if (step === 0) start = performance.now()
              if (step === count) return [{ emit: [values], next: null }, step]
              const id = greedy(values)
              ids.push(id)
              return [{ emit: [values], next: tokens([id]) }, step + 1]
            },
          },
          first: tokens(prompt),
        }),
      )
      return { ids, logits, milliseconds: performance.now() - start }
    },
    close: () => {
      for (const parameter of Object.values(parameters)) parameter.release()
    },
  }
}

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
  const options = presetTraining(preset, { seed }, 'bench')
  const tokenizer = trainCharacterTokenizer([text])
  const ids = tokenizer.encode(text)
  const cut = Math.floor((1 - options.validation) * ids.length)
  const [training, validation] = [ids.subarray(0, cut), ids.subarray(cut)]
  const model = everyLogits(gpt(presetConfig(preset, tokenizer.vocabularySize, 0)))
  const engine = benchEngine()
  const root = key(seed)
  const { steps, batch, block, learningRate, minimumLearningRate, warmup } = options
  const machine = optimizer(cosineDecay({ rate: learningRate, minimum: minimumLearningRate, warmup, total: steps }))
  const batchAt = randomWindows(training, { batch, block }, fold(root, 'batches'))
  let trained: Named = {}
  await lastValueFrom(
    train({
      trainer: trainer(
        model,
        machine,
        () => ({
          parameters: initialize(model, tokens([0]), engine, fold(root, 'parameters')),
          optimizer: machine.init(),
          step: 0,
        }),
        fold(root, 'dropout'),
      ),
      batchAt: index => (index < steps ? batchAt(index) : null),
    }).pipe(
      tap(({ step, loss, state }) => {
        if (step % 250 === 0) watch(step, loss)
        if (step === steps) trained = copyOf(state.parameters, wasmEngine())
      }),
    ),
  )
  const { loss } = await lastValueFrom(evaluate(model, trained, validation, { batch: 256, block }))
  for (const parameter of Object.values(trained)) parameter.release()
  return { loss }
}

/** The driver frees its state when the run ends: what is to outlive it is read. */
const copyOf = (parameters: Named, engine: Engine): Named =>
  Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, tensor(engine, x.shape, readNow(x))]))
