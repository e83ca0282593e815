/**
 * Codecs of single fields, and the three ways in which they combine: a default, a null that means absent, and a rule across
 * fields. Each codec is named by what it expects.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

/** A codec of the values that pass a guard. */
export const where = <A>(expected: string, is: (value: unknown) => value is A): t.Type<A, A, unknown> =>
  new t.Type(expected, is, (value, context) => (is(value) ? t.success(value) : t.failure(value, context)), t.identity)

/** A finite number that passes a test. */
export const numberIn = (expected: string, test: (value: number) => boolean): t.Type<number, number, unknown> =>
  where(expected, (value): value is number => typeof value === 'number' && Number.isFinite(value) && test(value))

/** An integer (exact in f64) that passes a test. */
export const integerIn = (expected: string, test: (value: number) => boolean): t.Type<number, number, unknown> =>
  numberIn(expected, value => Number.isSafeInteger(value) && test(value))

export const positiveInteger = integerIn('a positive integer', n => n >= 1)
export const naturalNumber = integerIn('a non-negative integer', n => n >= 0)
export const positiveNumber = numberIn('a positive number', n => n > 0)
export const nonNegativeNumber = numberIn('a non-negative number', n => n >= 0)
export const finiteNumber = numberIn('a finite number', () => true)
/** Any part of a whole. */
export const proportion = numberIn('a number in [0, 1]', n => n >= 0 && n <= 1)
/** A probability that may not be 1: dropout rates, decay rates, min-p. */
export const fraction = numberIn('a number in [0, 1)', n => n >= 0 && n < 1)
/** A probability that may not be 0: top-p. */
export const positiveFraction = numberIn('a number in (0, 1]', n => n > 0 && n <= 1)
export const seed = integerIn('an integer in [0, 2^53)', n => n >= 0)
export const boolean = where('true or false', (value): value is boolean => typeof value === 'boolean')
export const text = where('a string', (value): value is string => typeof value === 'string')
export const nonEmptyText = where(
  'a non-empty string',
  (value): value is string => typeof value === 'string' && value.length > 0,
)

/** One of the given strings. */
export const oneOf = <A extends string>(first: A, ...others: readonly A[]): t.Type<A, A, unknown> => {
  const all = [first, ...others]
  const known: ReadonlySet<unknown> = new Set(all)
  return where(all.map(value => `"${value}"`).join(' or '), (value): value is A => known.has(value))
}

/** A constant, for fields of which only one setting is supported. */
export const only = <A extends string | number | boolean>(constant: A): t.Type<A, A, unknown> =>
  where(`${JSON.stringify(constant)} (nothing else is supported)`, (value): value is A => value === constant)

/** An absent field (or null) reads as the default. */
export const withDefault = <A, O>(codec: t.Type<A, O, unknown>, value: A): t.Type<A, O, unknown> =>
  new t.Type(
    codec.name,
    codec.is,
    (input, context) => (input === undefined || input === null ? t.success(value) : codec.validate(input, context)),
    codec.encode,
  )

/** An absent field reads as null, and null stays. */
export const nullable = <A, O>(codec: t.Type<A, O, unknown>): t.Type<A | null, O | null, unknown> =>
  new t.Type<A | null, O | null, unknown>(
    codec.name,
    (value): value is A | null => value === null || codec.is(value),
    (input, context) => (input === undefined || input === null ? t.success(null) : codec.validate(input, context)),
    value => (value === null ? null : codec.encode(value)),
  )

/** Fills in what one field's default takes from the others; `complete` says what a complete value is. */
export const completed = <A, B extends A, O>(
  codec: t.Type<A, O, unknown>,
  complete: (value: A) => value is B,
  fill: (value: A) => B,
): t.Type<B, O, unknown> =>
  new t.Type<B, O, unknown>(
    codec.name,
    (value): value is B => codec.is(value) && complete(value),
    (input, context) => {
      const decoded = codec.validate(input, context)
      return E.isLeft(decoded) ? decoded : t.success(fill(decoded.right))
    },
    codec.encode,
  )

/** A list; a single value reads as a list of one. */
export const oneOrMore = <A>(codec: t.Type<A, A, unknown>): t.Type<readonly A[], readonly A[], unknown> => {
  const list: t.Type<readonly A[], readonly A[], unknown> = t.readonlyArray(codec)
  return new t.Type<readonly A[], readonly A[], unknown>(
    list.name,
    list.is,
    (input, context) => {
      if (Array.isArray(input)) return list.validate(input, context)
      const single = codec.validate(input, context)
      return E.isLeft(single) ? single : t.success([single.right])
    },
    list.encode,
  )
}

/** A JSON object with any keys as a map; unlike a record it may hold `__proto__`. */
export const dictionary = <A>(
  expected: string,
  codec: t.Type<A, A, unknown>,
): t.Type<ReadonlyMap<string, A>, Readonly<Record<string, A>>, unknown> =>
  new t.Type<ReadonlyMap<string, A>, Readonly<Record<string, A>>, unknown>(
    expected,
    (value): value is ReadonlyMap<string, A> => value instanceof Map,
    (input, context) => {
      if (typeof input !== 'object' || input === null || Array.isArray(input)) return t.failure(input, context)
      const map = new Map<string, A>()
      const errors: t.ValidationError[] = []
      for (const [key, value] of Object.entries(input)) {
        const decoded = codec.validate(value, t.appendContext(context, key, codec, value))
        if (E.isRight(decoded)) map.set(key, decoded.right)
        else errors.push(...decoded.left)
      }
      return errors.length === 0 ? t.success(map) : t.failures(errors)
    },
    map => Object.fromEntries(map),
  )

/** A condition across the fields of a decoded value, reported at one of them. */
export interface Rule<A> {
  readonly field: string
  readonly holds: (value: A) => boolean
  readonly expected: (value: A) => string
  readonly found: (value: A) => unknown
}

/** A codec whose values also obey rules across fields; only asked once every field by itself is right. */
export const withRules = <A, O>(codec: t.Type<A, O, unknown>, rules: readonly Rule<A>[]): t.Type<A, O, unknown> => {
  const broken = (value: A) => rules.filter(rule => !rule.holds(value))
  return new t.Type(
    codec.name,
    (value): value is A => codec.is(value) && broken(value).length === 0,
    (input, context) => {
      const decoded = codec.validate(input, context)
      if (E.isLeft(decoded)) return decoded
      const errors = broken(decoded.right).map(rule => {
        const actual = rule.found(decoded.right)
        const type = { name: rule.expected(decoded.right), validate: codec.validate, decode: codec.decode }
        return { value: actual, context: t.appendContext(context, rule.field, type, actual) }
      })
      return errors.length === 0 ? decoded : t.failures(errors)
    },
    codec.encode,
  )
}
