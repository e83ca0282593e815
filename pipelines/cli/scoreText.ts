import { InputError } from '../../src/errors.ts'
import { progress } from '../../streams/index.ts'
import { type Evaluation, evaluate } from '../evaluate.ts'
import { everyLogits } from '../languageModel.ts'
import type { OpenedModel } from '../modelFiles.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { progressBar } from './progressBar.ts'

/** Tokens of one batch, about. */
const BATCH_TOKENS = 4096

export interface Score extends Evaluation {
  /** Tokens a window. */
  readonly block: number
  /** Bytes of the text that the predicted tokens stand for. */
  readonly bytes: number
}

/** Refuses windows that the model's positions do not hold. */
export const expectBlock = (asked: number | null, positions: number): void => {
  if (asked !== null && asked > positions)
    throw new InputError(`--block: expected at most the model's context of ${positions}, found ${asked}`)
}

/** A model's loss on a text (`evaluate`), in windows of `asked` tokens or the model's context, with a progress bar. `file` names the text in errors. */
export const scoreText = async (
  { model, parameters, tokenizer }: OpenedModel,
  text: string,
  file: string,
  asked: number | null,
  io: Io,
): Promise<Score> => {
  expectBlock(asked, model.positions)
  const ids = tokenizer.encode(text)
  if (ids.length < 2) throw new InputError(`${file}: expected at least 2 tokens, found ${ids.length}`)
  const block = Math.min(asked ?? model.positions, ids.length - 1)
  const windows = { batch: Math.max(1, Math.floor(BATCH_TOKENS / block)), block }
  const total = Math.floor((ids.length - 1) / block) * block
  let done = 0
  const amount = ({ tokens }: Evaluation): number => {
    const more = tokens - done
    done = tokens
    return more
  }
  const evaluation$ = evaluate(everyLogits(model), parameters, ids, windows)
  const last = await consume(evaluation$.pipe(progress({ amount, total }), progressBar(io, 0, total)), io)
  if (last === null) throw new InputError(`${file}: expected more tokens`)
  const { tokens } = last.value
  return { ...last.value, block, bytes: tokenizer.decodeBytes(ids.subarray(1, 1 + tokens)).length }
}
