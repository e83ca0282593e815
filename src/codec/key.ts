/** A random key in a checkpoint: two unsigned 32-bit words as a JSON array. */
import * as t from 'io-ts'
import type { Key } from '../random/key.ts'
import { integerIn } from './fields.ts'

const word = integerIn('an integer in [0, 2^32)', n => n >= 0 && n < 2 ** 32)

export const KeyCodec: t.Type<Key, Key, unknown> = t.readonly(t.tuple([word, word]), 'a pair of 32-bit words')
