import type { Observable } from 'rxjs'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { positiveInteger } from '../src/codec/fields.ts'
import { GenerationOptions } from '../src/codec/generation.ts'
import type { HostData } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import type { Machine } from '../src/machine.ts'
import { type Key, key } from '../src/random.ts'
import { read } from '../src/tensor/tensor.ts'
import { type Emission, feedback } from '../streams/index.ts'
import { type ContinuationState, type Continued, continuation } from './continuation.ts'
import type { GenerateOptions, GenerationModel } from './generate.ts'
import { type Pass, passes } from './passes.ts'
import { promptIds } from './prompt.ts'

export interface Rows<B> {
  /** The key of each row's text, from that of the run. */
  readonly keys: (key: Key) => readonly Key[]
  /** What a row's token is emitted as. */
  readonly emission: (continued: Continued, row: number) => B
}

interface Row {
  readonly index: number
  readonly text: ContinuationState
}

interface HostState {
  /** Prompt tokens not yet fed. */
  readonly waiting: Int32Array
  /** Texts that go on: one a row of the batch, once the prompt is read. */
  readonly rows: readonly Row[]
}

/**
 * Texts after one prompt, decoded side by side: the prompt is read as a batch of one, whose caches are then repeated for every row; a row whose text has
 * ended leaves the batch. A row depends on its own key alone (laws L1, L4).
 */
export const generateRows = <B>(
  source: GenerationModel,
  from: string | Int32Array,
  given: GenerateOptions,
  { keys, emission }: Rows<B>,
): Observable<B> => {
  const { model, parameters, tokenizer } = source
  const { vocabulary, positions } = model
  const { endIds = source.endIds ?? [], prefillChunk = 512, taps, demand$, scheduler } = given
  const options = decodeOrThrow(GenerationOptions, given, 'generation options')
  decodeOrThrow(positiveInteger, prefillChunk, 'prefillChunk')
  const prompt = typeof from === 'string' ? promptIds(source, from) : from
  if (prompt.length === 0) throw new InputError('prompt: expected at least one token, found none')
  if (prompt.length > positions)
    throw new InputError(`prompt: ${prompt.length} tokens do not fit the model's context of ${positions}`)
  const most = Math.min(options.tokens, positions - prompt.length + 1)
  const machine = continuation({ prompt, tokenizer, endIds, most }, options)
  const rowKeys = keys(given.key ?? key(options.seed))

  const chunk = (ids: Int32Array): Pass => {
    const next = ids.subarray(0, prefillChunk)
    return { tokens: { ids: next, shape: [1, next.length] }, rows: null, wanted: ids.length <= prefillChunk }
  }
  const host: Machine<HostState, HostData | null, Emission<B, Pass>> = {
    init: () => {
      const text = machine.init()
      return {
        waiting: prompt.subarray(prefillChunk),
        rows: rowKeys.map((own, index) => ({ index, text: { ...text, sampler: { ...text.sampler, key: own } } })),
      }
    },
    step: ({ waiting, rows }, logits) => {
      if (logits === null)
        return [
          { emit: [], next: chunk(waiting) },
          { waiting: waiting.subarray(prefillChunk), rows },
        ]
      const batch = logits.length / vocabulary
      const emit: B[] = []
      const going: Row[] = []
      const ids: number[] = []
      const origins: number[] = []
      for (let i = 0; i < rows.length; i++) {
        const { index, text } = rows[i]
        // After the prompt all rows draw from the same logits.
        const origin = batch === 1 ? 0 : i
        const own = batch === 1 ? logits : logits.subarray(origin * vocabulary, (origin + 1) * vocabulary)
        const [continued, next] = machine.step(text, own)
        emit.push(emission(continued, index))
        if (continued.ended) continue
        going.push({ index, text: next })
        ids.push(continued.generated.token)
        origins.push(origin)
      }
      const tokens = { ids: new Int32Array(ids), shape: [ids.length, 1] }
      const selected = going.length === batch ? null : origins
      return [
        { emit, next: going.length === 0 ? null : { tokens, rows: selected, wanted: true } },
        { waiting, rows: going },
      ]
    },
  }
  return feedback({
    device: passes(model, parameters, prompt.length + most, taps),
    read: logits => (logits === null ? null : read(logits)),
    host,
    first: chunk(prompt),
    ...(demand$ === undefined ? {} : { demand$ }),
    ...(scheduler === undefined ? {} : { scheduler }),
  })
}
