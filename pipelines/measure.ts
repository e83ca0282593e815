/** Where decoding and reading a prompt stand under this machine's roofline. */
import type { Weights } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { scope } from '../src/tensor/scope.ts'
import { tokens } from '../src/tensor/tokens.ts'
import { type Ceilings, ceilingsOf, type Timed, underCeilings } from './ceilings.ts'
import { decoder, truncate } from './decoder.ts'
import { type LanguageModel, nextLogits } from './languageModel.ts'

/** One forward pass. */
export interface MeasuredPass extends Timed {
  /** Positions before it, in the cache. */
  readonly position: number
  /** Tokens it takes at once. */
  readonly tokens: number
}

export interface Measurement extends Ceilings {
  /** The next token, after 32 others. */
  readonly decode: MeasuredPass
  /** A prompt of 128 tokens, or as many as the model takes. */
  readonly prefill: MeasuredPass
}

const POSITION = 32
const PROMPT = 128

/** Decodes some tokens of no meaning, and compares their time with what the machine's ceilings allow. Some seconds. */
export const measure = async (model: LanguageModel, parameters: Weights, engine: Engine): Promise<Measurement> => {
  const ceilings = await ceilingsOf(engine, parameters)
  const pass = async (position: number, count: number): Promise<MeasuredPass> => {
    const capacity = position + count
    const machine = decoder(nextLogits(model), { parameters, capacity })
    let state = scope(() => machine.step(machine.init(), tokens(new Int32Array(capacity)))[1])
    const timed = await underCeilings(ceilings, engine, () => {
      const [logits, next] = scope(() => machine.step(truncate(state, position), tokens(new Int32Array(count))))
      state = next
      return logits
    })
    for (const cache of Object.values(state.caches)) cache.release()
    return { position, tokens: count, ...timed }
  }
  return {
    ...ceilings,
    decode: await pass(Math.min(POSITION, model.positions - 1), 1),
    prefill: await pass(0, Math.min(PROMPT, model.positions)),
  }
}
