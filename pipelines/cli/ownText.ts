import { map } from 'rxjs'
import { tokens } from '../../src/tensor/tokens.ts'
import { progress } from '../../streams/index.ts'
import { generateSamples } from '../generateSamples.ts'
import type { OpenedModel } from '../modelFiles.ts'
import { promptIds } from '../prompt.ts'
import type { Batch } from '../textBatches.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { progressBar } from './progressBar.ts'
import { batchOf, type Scored } from './scoreText.ts'

/** Texts that are written. */
const TEXTS = 8
/** Tokens of each where the context has more. */
const MOST_TOKENS = 256

export interface OwnTextOptions {
  /** Tokens a text; null: the context, 256 at most. */
  readonly block: number | null
  readonly seed: number
}

/**
 * Text that a model p itself writes, drawn at temperature 1 from the token that begins a text. What another model q loses on it, less what p loses, is an unbiased
 * estimate of KL(p || q) a token. Where a token ends a text, it goes on. No token that begins a text is an InputError.
 */
export const ownText = async (opened: OpenedModel, { block: asked, seed }: OwnTextOptions, io: Io): Promise<Scored> => {
  const prompt = promptIds(opened, '')
  const block = Math.max(prompt.length, asked ?? Math.min(MOST_TOKENS, opened.model.positions))
  const drawn = block + 1 - prompt.length
  const total = TEXTS * drawn
  const texts = Array.from({ length: TEXTS }, () => [...prompt])
  let [nats, count] = [0, 0]
  const samples$ = generateSamples(opened, prompt, { tokens: drawn, samples: TEXTS, seed, endIds: [] }).pipe(
    map(({ sample, token, logProbability }) => {
      nats -= logProbability
      return { sample, token, loss: nats / ++count }
    }),
  )
  await consume(samples$.pipe(progress({ total }), progressBar(io, 0, total)), io, ({ value: { sample, token } }) =>
    texts[sample].push(token),
  )
  const batches: Batch[] = []
  for (let first = 0; first < TEXTS; first += batchOf(block)) {
    const rows = texts.slice(first, first + batchOf(block))
    const windows = (from: number) =>
      tokens(
        rows.flatMap(row => row.slice(from, from + block)),
        [rows.length, block],
      )
    batches.push({ index: batches.length, inputs: windows(0), targets: windows(1) })
  }
  return { batches, block, tokens: TEXTS * block }
}
