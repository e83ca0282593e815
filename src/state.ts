/**
 * A machine's state as named tensors and one JSON value, and back, exactly: what a checkpoint stores (law L11).
 *
 * A state is any nesting of records, arrays, numbers, strings, booleans, null and tensors. In the JSON every object is one of
 * `{ record }`, `{ tensor: name }` and `{ number: 'NaN' | 'Infinity' | '-Infinity' | '-0' }` (numbers that JSON lacks), so no
 * key of a state can be taken for a mark. A tensor's name is its path, as a JSON pointer (RFC 6901) without the first slash.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { decode } from './codec/decode.ts'
import { where as guard } from './codec/fields.ts'
import type { Named } from './context.ts'
import { InputError } from './errors.ts'
import { Tensor } from './tensor/tensor.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export interface Flat {
  readonly tensors: Named
  readonly plain: Json
}

const tensorCodec = guard('a tensor', (value): value is Tensor => value instanceof Tensor)
/** A codec of states, for machines that say what theirs look like. */
export const namedCodec: t.Type<Named, Named, unknown> = t.readonly(
  t.record(t.string, tensorCodec, 'a record of tensors'),
  'a record of tensors',
)

const unusual: Readonly<Record<string, number>> = { NaN: Number.NaN, Infinity, '-Infinity': -Infinity, '-0': -0 }

const child = (path: string, key: string | number): string => {
  const segment = String(key).replaceAll('~', '~0').replaceAll('/', '~1')
  return path === '' ? segment : `${path}/${segment}`
}

/** Shares the state's tensors, copies nothing. A state that holds anything else (a function, a class instance) is a TypeError. */
export const flatten = (state: unknown): Flat => {
  const tensors: [string, Tensor][] = []
  const walk = (value: unknown, path: string): Json => {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
    if (typeof value === 'number') {
      for (const name in unusual) if (Object.is(unusual[name], value)) return { number: name }
      return value
    }
    if (value instanceof Tensor) {
      tensors.push([path, value])
      return { tensor: path }
    }
    if (Array.isArray(value)) return Array.from(value, (item, i) => walk(item, child(path, i)))
    if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
      return { record: Object.fromEntries(Object.entries(value).map(([key, x]) => [key, walk(x, child(path, key))])) }
    throw new TypeError(`state ${path}: expected plain data or a tensor, found a ${typeof value}`)
  }
  const plain = walk(state, '')
  return { tensors: Object.fromEntries(tensors), plain }
}

/**
 * The state that `flatten` took apart, checked by its codec; it takes over the tensors. Every tensor must be used, once.
 * `where` names the file in errors.
 */
export const unflatten = <S>(
  codec: t.Decoder<unknown, S>,
  tensors: Named,
  plain: unknown,
  where: string,
): E.Either<InputError, S> => {
  const unused = new Set(Object.keys(tensors))
  const wrong = (path: string, expected: string) =>
    new InputError(`${[where, ...(path === '' ? [] : [path])].join(': ')}: expected ${expected}`)
  const walk = (value: unknown, path: string): unknown => {
    if (value === null || typeof value !== 'object') return value
    if (Array.isArray(value)) return value.map((item, i) => walk(item, child(path, i)))
    const [[kind, content] = [], ...others] = Object.entries(value)
    if (others.length === 0) {
      if (kind === 'tensor' && typeof content === 'string') {
        if (!unused.delete(content)) throw wrong(path, `a tensor named ${content}, once; found none left`)
        return tensors[content]
      }
      if (kind === 'number' && typeof content === 'string' && Object.hasOwn(unusual, content)) return unusual[content]
      if (kind === 'record' && typeof content === 'object' && content !== null)
        return Object.fromEntries(Object.entries(content).map(([key, x]) => [key, walk(x, child(path, key))]))
    }
    throw wrong(path, `a record, a tensor or a number; found ${JSON.stringify(value).slice(0, 60)}`)
  }
  try {
    const state = walk(plain, '')
    const [left] = unused
    if (left !== undefined) throw wrong('', `every tensor to belong to the state; found ${left} left over`)
    return decode(codec, state, where)
  } catch (error) {
    if (error instanceof InputError) return E.left(error)
    throw error
  }
}
