/**
 * What a training checkpoint remembers besides tensors, so that a resumed run is the same run (law L11): its preset, its options,
 * its text and its engine. A command that resumes may repeat them; it may change the number of steps only.
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { nullable, text, where } from '../src/codec/fields.ts'
import { flagName } from '../src/codec/flag.ts'
import { TrainingOptions } from '../src/codec/training.ts'
import { InputError } from '../src/errors.ts'
import type { Json } from '../src/state.ts'

export const isJson = (value: unknown): value is Json => {
  if (value === null || ['boolean', 'number', 'string'].includes(typeof value)) return true
  return typeof value === 'object' && Object.values(value).every(isJson)
}

export const RunRecord = t.type(
  {
    preset: text,
    /** Tokens of the vocabulary that were asked for; null is the preset's choice. */
    vocabulary: t.union([t.number, t.literal('characters'), t.null]),
    options: TrainingOptions,
    /** SHA-256 of the text, hexadecimal. */
    text,
    engine: text,
    /** The mode the engine ran in, where the record says: another mode may round otherwise. */
    backend: nullable(text),
    /** What the optimizer remembers besides tensors. */
    optimizer: where('a JSON value', isJson),
  },
  'the record of a run',
)
export type RunRecord = t.TypeOf<typeof RunRecord>

/** What identifies a run: all of its record but the optimizer's memory. */
export type RunIdentity = Omit<RunRecord, 'optimizer'>

/** The options of a resumed run: those of its record, and the number of steps where that was given. Contradictions are InputErrors. */
export const resumedOptions = <A extends object>(
  codec: t.Type<A, unknown, unknown>,
  stored: A,
  own: Readonly<Record<string, unknown>>,
  out: string,
): A => {
  const asked = decodeOrThrow(codec, { ...stored, ...own }, flagName)
  const before = new Map(Object.entries(stored))
  for (const [name, value] of Object.entries(asked))
    if (name !== 'steps') same(flagName([name]), before.get(name), value, out)
  return asked
}

/** Refuses to resume a run as another one. */
export const same = (name: string, stored: unknown, asked: unknown, out: string): void => {
  if (stored !== asked)
    throw new InputError(
      `${name}: expected ${stored ?? "the preset's own"}, as the run in ${out} has it, found ${asked}; leave it out`,
    )
}
