/** Decoding of several sequences at once: the decoder machine over (batch, time) tokens. */
import { greedy } from '../operators/sampling/greedy.ts'
import { decoder } from '../pipelines/decoder.ts'
import { nextLogits } from '../pipelines/languageModel.ts'
import { upload } from '../pipelines/parameters.ts'
import type { HostData } from '../src/engine/engine.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { scope } from '../src/tensor/scope.ts'
import { readNow } from '../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../src/tensor/tokens.ts'
import { batchTokens, benchEngine, modelOf } from './ours.ts'
import type { GptShape } from './weights.ts'

export interface BatchDecoded {
  /** By sequence. */
  readonly ids: readonly (readonly number[])[]
  /** After the last step, by sequence. */
  readonly logits: readonly HostData[]
  /** Of the steps after the prompts. */
  readonly milliseconds: number
}

export interface BatchDecoder {
  readonly backend: string
  /** Feeds prompts of one length, then `count` greedy steps of all sequences at once. */
  decode(prompts: readonly (readonly number[])[], count: number): BatchDecoded
  close(): void
}

export const batchDecoder = (shape: GptShape, weights: HostTensors): BatchDecoder => {
  const engine = benchEngine()
  const parameters = upload(weights, engine)
  const model = nextLogits(modelOf(shape))
  return {
    backend: engine.backend,
    decode: (prompts, count) => {
      const machine = decoder(model, { parameters, capacity: (prompts[0]?.length ?? 0) + count })
      let state = machine.init()
      const step = (next: Tokens): readonly HostData[] => {
        const [logits, after] = scope(() => {
          const [value, following] = machine.step(state, next)
          return [readNow(value), following] as const
        })
        state = after
        const width = shape.vocabulary
        return prompts.map((_, i) => logits.subarray(i * width, (i + 1) * width))
      }
      let rows = step(batchTokens(prompts))
      const ids: number[][] = prompts.map(() => [])
      const start = performance.now()
      for (let i = 0; i < count; i++) {
        const chosen = rows.map(greedy)
        for (const [row, id] of chosen.entries()) ids[row]?.push(id)
        rows = step(tokens(chosen, [chosen.length, 1]))
      }
      const milliseconds = performance.now() - start
      for (const cache of Object.values(state.caches)) cache.release()
      return { ids, logits: rows, milliseconds }
    },
    close: () => {
      for (const parameter of Object.values(parameters)) parameter.release()
    },
  }
}
