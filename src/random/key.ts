/**
 * Keys: the only state of randomness, a plain pair of 32-bit words that goes into checkpoints as JSON.
 *
 * A key is never consumed. New keys come from `split` (by number) and `fold` (by name or integer), each a function of the
 * parent and the label alone, so the order in which parts of a program draw never matters (laws R1, R2).
 *
 * Every use of a key has its own last counter word, so numbers, splits and folds of one key never meet.
 */
import { InputError } from '../errors.ts'
import { philox } from './philox.ts'

/** Two unsigned 32-bit words. */
export type Key = readonly [number, number]

const SPLIT = 1
const FOLD_INTEGER = 2
const FOLD_NAME = 3
const LAST_BLOCK = 4
const UNITS_IN_BLOCK = 8
/** UTF-16 code units that fit the three free counter words. */
const BLOCK_UNITS = 6
const TWO_32 = 2 ** 32

const derive = (parent: Key, c0: number, c1: number, c2: number, use: number): Key => {
  const words = new Uint32Array(4)
  philox(words, 0, c0, c1, c2, use, parent[0], parent[1])
  const [first, second] = words
  return Object.freeze([first, second] as const)
}

const natural = (what: string, value: number): number => {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InputError(`${what}: expected an integer in [0, 2^53), found ${value}`)
}

/** The key of a seed, an integer in [0, 2^53); otherwise an InputError. */
export const key = (seed: number): Key => {
  const value = natural('seed', seed)
  return Object.freeze([value >>> 0, Math.floor(value / TWO_32)] as const)
}

/** `count` independent keys; the i-th does not depend on `count`. */
export const split = (parent: Key, count: number): readonly Key[] =>
  Array.from({ length: natural('split count', count) }, (_, i) => derive(parent, i, 0, 0, SPLIT))

/**
 * The key of a part of the program: a parameter path (`fold(run, 'h.0.attn')`) or a step number (`fold(run, 17)`).
 * Names are absorbed six UTF-16 units at a time; the last block is marked and carries its length, so no two names share
 * their blocks, and `fold(fold(k, 'a'), 'b')` is not `fold(k, 'ab')`.
 */
export const fold = (parent: Key, label: string | number): Key => {
  if (typeof label === 'number') {
    const value = natural('fold label', label)
    return derive(parent, value >>> 0, Math.floor(value / TWO_32), 0, FOLD_INTEGER)
  }
  const word = (at: number) => unit(label, at) | (unit(label, at + 1) << 16)
  let state = parent
  let start = 0
  do {
    const units = Math.min(BLOCK_UNITS, label.length - start)
    const last = start + units === label.length ? LAST_BLOCK : 0
    const use = FOLD_NAME + last + UNITS_IN_BLOCK * units
    state = derive(state, word(start), word(start + 2), word(start + 4), use)
    start += BLOCK_UNITS
  } while (start < label.length)
  return state
}

const unit = (text: string, at: number): number => (at < text.length ? text.charCodeAt(at) : 0)
