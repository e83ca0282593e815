import { InputError } from '../../src/errors.ts'
import { progress } from '../../streams/index.ts'
import { type Evaluation, evaluateBatches } from '../evaluate.ts'
import { everyLogits } from '../languageModel.ts'
import type { OpenedModel } from '../modelFiles.ts'
import { type Batch, consecutiveWindows } from '../textBatches.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { progressBar } from './progressBar.ts'

/** Tokens of one batch, about. */
const BATCH_TOKENS = 4096

/** Windows of a batch. */
export const batchOf = (block: number): number => Math.max(1, Math.floor(BATCH_TOKENS / block))

/** A text to evaluate models on. */
export interface Scored {
  readonly batches: Iterable<Batch>
  /** Tokens a window. */
  readonly block: number
  /** Tokens that are predicted. */
  readonly tokens: number
}

/** Refuses windows that the model's positions do not hold. */
export const expectBlock = (asked: number | null, positions: number): void => {
  if (asked !== null && asked > positions)
    throw new InputError(`--block: expected at most the model's context of ${positions}, found ${asked}`)
}

/** A text in windows of `asked` tokens or the model's context, and the bytes that the predicted tokens stand for. `file` names the text in errors. */
export const windowsOf = (
  { model, tokenizer }: OpenedModel,
  text: string,
  file: string,
  asked: number | null,
): Scored & { readonly bytes: number } => {
  expectBlock(asked, model.positions)
  const ids = tokenizer.encode(text)
  if (ids.length < 2) throw new InputError(`${file}: expected at least 2 tokens, found ${ids.length}`)
  const block = Math.min(asked ?? model.positions, ids.length - 1)
  const tokens = Math.floor((ids.length - 1) / block) * block
  return {
    batches: { [Symbol.iterator]: () => consecutiveWindows(ids, { batch: batchOf(block), block }) },
    block,
    tokens,
    bytes: tokenizer.decodeBytes(ids.subarray(1, 1 + tokens)).length,
  }
}

/** A model's loss on a text (`evaluateBatches`), with a progress bar. */
export const scoreText = async (
  { model, parameters }: OpenedModel,
  { batches, tokens: total }: Scored,
  io: Io,
): Promise<Evaluation> => {
  let done = 0
  const amount = ({ tokens }: Evaluation): number => {
    const more = tokens - done
    done = tokens
    return more
  }
  const evaluation$ = evaluateBatches(everyLogits(model), parameters, batches)
  const last = await consume(evaluation$.pipe(progress({ amount, total }), progressBar(io, 0, total)), io)
  if (last === null) throw new InputError('expected tokens to evaluate on, found none')
  return last.value
}
