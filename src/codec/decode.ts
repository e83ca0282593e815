/**
 * The border: unknown values become typed ones once, or an InputError that says where, what was expected and what was found:
 * `config.json: n_head: expected a positive integer, found "four"`.
 *
 * The expectation is the codec's name, so codecs are named in words that complete "expected …".
 */
import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { InputError } from '../errors.ts'

/** Where a value came from: a file name, a flag, or a function from the path inside the value to such a place. */
export type Where = string | ((path: readonly string[]) => string)

const SHOWN_ERRORS = 3
const SHOWN_CHARACTERS = 60

/** A short description of a value found where another was expected. */
export const describe = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value)
    return quoted.length > SHOWN_CHARACTERS ? `${quoted.slice(0, SHOWN_CHARACTERS)}…"` : quoted
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'function') return 'a function'
  return String(value)
}

const place = (where: Where, path: readonly string[]): string =>
  typeof where === 'function' ? where(path) : [where, ...(path.length > 0 ? [path.join('.')] : [])].join(': ')

const explain = (error: t.ValidationError, where: Where): string => {
  const path = error.context.map(entry => entry.key).filter(key => key !== '')
  const expected = error.context.at(-1)?.type.name ?? 'another value'
  return `${place(where, path)}: expected ${expected}, found ${describe(error.value)}`
}

/** Decodes a value; the first few errors are joined in one line. */
export const decode = <A>(codec: t.Decoder<unknown, A>, value: unknown, where: Where): E.Either<InputError, A> =>
  E.mapLeft((errors: t.Errors) => {
    const shown = errors.slice(0, SHOWN_ERRORS).map(error => explain(error, where))
    const more = errors.length > SHOWN_ERRORS ? [`and ${errors.length - SHOWN_ERRORS} more`] : []
    return new InputError([...new Set(shown), ...more].join('; '))
  })(codec.decode(value))

/** The right value, or throws the left one: for the border itself, where an error ends the command. */
export const orThrow = <A>(either: E.Either<Error, A>): A => {
  if (E.isLeft(either)) throw either.left
  return either.right
}

/** `decode`, throwing its InputError. */
export const decodeOrThrow = <A>(codec: t.Decoder<unknown, A>, value: unknown, where: Where): A =>
  orThrow(decode(codec, value, where))
