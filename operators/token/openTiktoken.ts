/** Tokenizers of `.tiktoken` files: the encodings that are known by name. Source: openai/tiktoken `openai_public.py`. */
import { InputError } from '../../src/errors.ts'
import { parseTiktoken } from '../../src/format/tiktokenFile.ts'
import { byteLevelBpe } from './byteLevelBpe.ts'
import { specialToken } from './model.ts'
import { patterns } from './pattern.ts'
import type { Tokenizer } from './tokenizer.ts'

const end = '<|endoftext|>'

const encodings = {
  r50k_base: { size: 50256, pattern: patterns.gpt2, special: { [end]: 50256 } },
  p50k_base: { size: 50280, pattern: patterns.gpt2, special: { [end]: 50256 } },
  cl100k_base: {
    size: 100256,
    pattern: patterns.cl100k,
    special: {
      [end]: 100257,
      '<|fim_prefix|>': 100258,
      '<|fim_middle|>': 100259,
      '<|fim_suffix|>': 100260,
      '<|endofprompt|>': 100276,
    },
  },
  o200k_base: { size: 199998, pattern: patterns.o200k, special: { [end]: 199999, '<|endofprompt|>': 200018 } },
} as const

/** The encoding is told by the file's name (`cl100k_base.tiktoken`), else by the number of its tokens. */
export const openTiktoken = (text: string, where: string): Tokenizer => {
  const tokens = parseTiktoken(text, where)
  const size = tokens.filter(token => token !== undefined).length
  const entries = Object.entries(encodings)
  const found = entries.find(([name]) => where.includes(name)) ?? entries.find(([, encoding]) => encoding.size === size)
  if (found === undefined) {
    const names = entries.map(([name]) => name).join(', ')
    throw new InputError(`${where}: expected a file of ${names} (by name or number of tokens), found ${size} tokens`)
  }
  const { pattern, special } = found[1]
  const added = Object.entries(special).map(([content, id]) => specialToken(id, content))
  return byteLevelBpe(
    {
      kind: 'byteLevelBpe',
      tokens,
      merges: null,
      wholeFirst: true,
      pattern,
      added,
      prefix: [],
      suffix: [],
      endId: special[end],
    },
    where,
  )
}
