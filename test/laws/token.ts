/** T1-T9: the laws of tokenizers, as predicates on any tokenizer. */
import { detokenizer } from '../../operators/token/detokenizer.ts'
import type { Merges } from '../../operators/token/merges.ts'
import type { Tokenizer } from '../../operators/token/tokenizer.ts'

export const sameIds = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((id, i) => id === b[i])

/** U+FFFD for lone surrogates, by way of TextEncoder. */
export const wellFormed = (text: string): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text))

type Coding = Pick<Tokenizer, 'encode' | 'decode'>

export const T1 = {
  id: 'T1',
  name: 'round trip: decode(encode(s)) is s',
  holds: ({ encode, decode }: Coding, text: string) => decode(encode(text)) === wellFormed(text),
}

export const T2 = {
  id: 'T2',
  name: 'bytes(xs ++ ys) is bytes(xs) ++ bytes(ys)',
  holds: (bytes: (ids: readonly number[]) => Uint8Array, xs: readonly number[], ys: readonly number[]) =>
    sameIds(bytes([...xs, ...ys]), [...bytes(xs), ...bytes(ys)]),
}

export const T3 = {
  id: 'T3',
  name: 'canonicity: encode(decode(ids)) is ids for ids of a text',
  holds: ({ encode, decode }: Coding, ids: ArrayLike<number>) => sameIds(encode(decode(ids)), ids),
}

/** Outputs of the streaming detokenizer for the ids, then for the end. */
export const streamed = (tokenizer: Tokenizer, ids: Iterable<number>, skipSpecial = false): string[] => {
  const machine = detokenizer(tokenizer, { skipSpecial })
  let state = machine.init()
  return [...ids, 'end' as const].map(input => {
    const [text, next] = machine.step(state, input)
    state = next
    return text
  })
}

export const T4 = {
  id: 'T4',
  name: 'streaming: the streamed texts joined are decode(ids)',
  holds: (texts: readonly string[], whole: string) => texts.join('') === whole,
}

export const T5 = {
  id: 'T5',
  name: 'chunks: encode(s) is the concatenation of the encoded pieces',
  holds: (encode: Coding['encode'], pieces: Iterable<string>, text: string) => {
    const parts = [...pieces]
    return (
      parts.join('') === text &&
      sameIds(
        encode(text),
        parts.flatMap(piece => [...encode(piece)]),
      )
    )
  },
}

type MergeInPlace = (merges: Merges, symbols: Int32Array, length: number) => number

export const T6 = {
  id: 'T6',
  name: 'merge order: two ways to merge give the same ids',
  holds: (one: MergeInPlace, other: MergeInPlace, merges: Merges, symbols: readonly number[]) => {
    const [a, b] = [Int32Array.from(symbols), Int32Array.from(symbols)]
    return sameIds(a.subarray(0, one(merges, a, a.length)), b.subarray(0, other(merges, b, b.length)))
  },
}

export const T7 = {
  id: 'T7',
  name: 'training: merge i only uses ids below 256 + i, and the merges are those of a recount at every step',
  holds: (merges: readonly (readonly [number, number])[], reference: readonly (readonly [number, number])[]) =>
    merges.every(([left, right], i) => left < 256 + i && right < 256 + i) &&
    JSON.stringify(merges) === JSON.stringify(reference),
}

export const T8 = {
  id: 'T8',
  name: 'length: there are no more ids than bytes of UTF-8',
  holds: (encode: Coding['encode'], text: string) => encode(text).length <= new TextEncoder().encode(text).length,
}

export const T9 = {
  id: 'T9',
  name: 'special tokens never arise from plain text',
  holds: (encode: Coding['encode'], special: ReadonlyMap<string, number>, text: string) => {
    const ids = new Set(special.values())
    return encode(text).every(id => !ids.has(id))
  },
}
