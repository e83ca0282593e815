import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { naturalNumber, positiveInteger } from '../../src/codec/fields.ts'
import type { StopRule } from './stop.ts'

export interface TokenCount {
  readonly count: number
}

const codec: t.Type<TokenCount, unknown, unknown> = t.readonly(t.type({ count: naturalNumber }, 'a token count'))

/** Stops after the n-th token, n ≥ 1. A run of n is a prefix of a run of n + 1 (law G6). */
export const maximumTokens = (n: number): StopRule<TokenCount> => {
  decodeOrThrow(positiveInteger, n, 'maximumTokens')
  return { codec, init: () => ({ count: 0 }), step: ({ count }) => [count + 1 >= n, { count: count + 1 }] }
}
