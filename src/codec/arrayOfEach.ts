/** A codec of arrays with one element for each of the given codecs: io-ts's tuple for a list that is known at run time. */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

export const arrayOfEach = (
  expected: string,
  codecs: readonly t.Type<unknown, unknown, unknown>[],
): t.Type<readonly unknown[], unknown, unknown> =>
  new t.Type(
    expected,
    (value): value is readonly unknown[] =>
      Array.isArray(value) && value.length === codecs.length && codecs.every((codec, i) => codec.is(value[i])),
    (input, context) => {
      if (!Array.isArray(input) || input.length !== codecs.length) return t.failure(input, context)
      const decoded = codecs.map((codec, i) =>
        codec.validate(input[i], t.appendContext(context, String(i), codec, input[i])),
      )
      const errors = decoded.flatMap(each => (E.isLeft(each) ? each.left : []))
      if (errors.length > 0) return t.failures(errors)
      return t.success(decoded.flatMap(each => (E.isRight(each) ? [each.right] : [])))
    },
    values => codecs.map((codec, i) => codec.encode(values[i])),
  )
