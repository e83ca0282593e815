/** The same work as `generate` and `train` in plain loops over the same machines, without streams: what streams are measured against. */
import { sampler } from '../operators/sampling/sampler.ts'
import { stopStrings } from '../operators/sampling/stopStrings.ts'
import { trainCharacterTokenizer } from '../operators/token/character.ts'
import { detokenizer } from '../operators/token/detokenizer.ts'
import { decoder } from '../pipelines/decoder.ts'
import { everyLogits, nextLogits } from '../pipelines/languageModel.ts'
import { upload } from '../pipelines/parameters.ts'
import { trainer } from '../pipelines/trainer.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { key } from '../src/random.ts'
import { scope, tensorsOf } from '../src/tensor/scope.ts'
import { readNow } from '../src/tensor/tensor.ts'
import { tokens } from '../src/tensor/tokens.ts'
import { batchTokens, benchEngine, characters, type GptDecoder, type GptTrainer, modelOf, optimizer } from './ours.ts'
import type { GptShape } from './weights.ts'

const releaseAll = (value: unknown): void => {
  for (const tensor of tensorsOf(value)) tensor.release()
}

/** Decoder, sampler, detokenizer and stop rules in a loop. */
export const bareDecoder = (shape: GptShape, weights: HostTensors): Pick<GptDecoder, 'decode' | 'close'> => {
  const parameters = upload(weights, benchEngine())
  const model = nextLogits(modelOf(shape))
  const tokenizer = trainCharacterTokenizer([characters(shape.vocabulary)])
  return {
    decode: async (prompt, count) => {
      const machine = decoder(model, { parameters, capacity: Math.min(prompt.length + count + 1, shape.block) })
      const draw = sampler({ key: key(0), greedy: true, previous: prompt, window: 0 })
      const text = detokenizer(tokenizer, { skipSpecial: true })
      const stops = stopStrings([])
      let state = machine.init()
      let drawn = draw.init()
      let spoken = text.init()
      let stop = stops.init()
      let next = Int32Array.from(prompt)
      const ids: number[] = []
      const times: number[] = []
      let written = ''
      for (let i = 0; i <= count; i++) {
        const [logits, after] = scope(() => machine.step(state, tokens(next)))
        state = after
        const [{ token }, sampled] = draw.step(drawn, readNow(logits))
        logits.release()
        const [piece, said] = text.step(spoken, token)
        const [shown, held] = stops.step(stop, piece)
        drawn = sampled
        spoken = said
        stop = held
        written += shown.text
        ids.push(token)
        times.push(performance.now())
        next = Int32Array.of(token)
      }
      releaseAll(state.caches)
      if (written.length === 0) throw new Error('no text')
      return { ids: ids.slice(0, count), milliseconds: (times.at(-1) ?? 0) - (times[0] ?? 0) }
    },
    close: () => releaseAll(parameters),
  }
}

/** Gradient, update and the loss read, in a loop. */
export const bareTrainer = (
  shape: GptShape,
  weights: HostTensors,
  rate: number,
): Pick<GptTrainer, 'train' | 'close'> => {
  const engine = benchEngine()
  const memory = optimizer(rate)
  const machine = trainer(
    everyLogits(modelOf(shape)),
    memory,
    () => ({ parameters: upload(weights, engine), optimizer: memory.init(), step: 0 }),
    key(0),
  )
  let state = machine.init()
  return {
    train: async (x, y) => {
      const batches = x.map((rows, index) => ({ index, inputs: batchTokens(rows), targets: batchTokens(y[index]) }))
      const start = performance.now()
      const losses = batches.map(batch => {
        const gradient = machine.gradient(state, batch)
        const [{ loss }, after] = scope(() => machine.update(state, gradient))
        state = after
        const [value = Number.NaN] = readNow(loss)
        releaseAll(gradient)
        return value
      })
      return { losses, milliseconds: performance.now() - start }
    },
    close: () => releaseAll([state.parameters, state.optimizer]),
  }
}
