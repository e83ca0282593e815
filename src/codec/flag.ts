/** Command-line flags: their values arrive as text, their errors name the flag. */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

/** The flag of an option: `topP` is `--top-p`. Give it to `decode` as the place of an options object. */
export const flagName = (path: readonly string[]): string =>
  `--${(path[0] ?? '').replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`

/** A codec of numbers that also reads their decimal text: `"0.9"` is 0.9, and `""` or `"four"` stay what they are. */
export const fromText = (codec: t.Type<number, number, unknown>): t.Type<number, number, unknown> =>
  new t.Type(
    codec.name,
    codec.is,
    (input, context) => {
      const number = typeof input === 'string' && input.trim() !== '' ? Number(input) : Number.NaN
      if (Number.isNaN(number)) return codec.validate(input, context)
      const decoded = codec.validate(number, context)
      // The error is about the number that was read, in its own place.
      return E.isRight(decoded) ? decoded : t.failures(decoded.left.map(error => ({ ...error, value: number })))
    },
    codec.encode,
  )
