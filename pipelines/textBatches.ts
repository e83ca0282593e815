import { InputError } from '../src/errors.ts'
import { fold, integers, type Key } from '../src/random.ts'
import type { Tokens } from '../src/tensor/tokens.ts'

/** Inputs and the tokens that follow each, both (batch, block). */
export interface Batch {
  /** Position in the run: dropout's key is folded with it. */
  readonly index: number
  readonly inputs: Tokens
  readonly targets: Tokens
}

export interface Windows {
  /** Sequences a batch. */
  readonly batch: number
  /** Tokens a sequence. */
  readonly block: number
}

const windowsAt = (ids: Int32Array, starts: ArrayLike<number>, block: number, index: number): Batch => {
  const shape = [starts.length, block]
  const inputs = new Int32Array(starts.length * block)
  const targets = new Int32Array(starts.length * block)
  for (let row = 0; row < starts.length; row++) {
    const start = starts[row] ?? 0
    inputs.set(ids.subarray(start, start + block), row * block)
    targets.set(ids.subarray(start + 1, start + 1 + block), row * block)
  }
  return { index, inputs: { ids: inputs, shape }, targets: { ids: targets, shape } }
}

/** Batch number `index` of a run: windows at random places, a function of the key and the index alone, so a run resumes anywhere. */
export const randomWindows = (ids: Int32Array, { batch, block }: Windows, key: Key): ((index: number) => Batch) => {
  if (ids.length <= block)
    throw new InputError(`text: expected more than ${block} tokens, one block, found ${ids.length}`)
  return index => windowsAt(ids, integers(fold(key, index), batch, ids.length - block), block, index)
}

/** The text once through in windows side by side, the last incomplete one left out; (n - 1) / block windows in all. */
export const consecutiveWindows = function* (ids: Int32Array, { batch, block }: Windows): Generator<Batch> {
  const windows = Math.floor((ids.length - 1) / block)
  for (let first = 0, index = 0; first < windows; first += batch, index++) {
    const starts = Array.from({ length: Math.min(batch, windows - first) }, (_, row) => (first + row) * block)
    yield windowsAt(ids, starts, block, index)
  }
}
