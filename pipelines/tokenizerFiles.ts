/** Opens and saves tokenizers on disk: a model's folder, or a single tokenizer file. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer, type TokenizerFile, tokenizerFileNames } from '../operators/token/loadTokenizer.ts'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import { tokenizerConfigJson, tokenizerJson } from '../operators/token/tokenizerJson.ts'
import { InputError } from '../src/errors.ts'

const present = async (path: string): Promise<TokenizerFile | null> => {
  try {
    return { name: path, bytes: new Uint8Array(await readFile(path)) }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new InputError(`${path}: ${error instanceof Error ? error.message : error}`)
  }
}

/** A tokenizer from a folder with its files, or from one file (`.tiktoken`, `tokenizer.json`, llama2.c's `.bin`). */
export const openTokenizer = async (path: string): Promise<Tokenizer> => {
  const info = await stat(path).catch(() => null)
  if (info === null) throw new InputError(`${path}: expected a tokenizer's file or folder, found nothing`)
  if (!info.isDirectory()) {
    const file = await present(path)
    return loadTokenizer(file === null ? [] : [file])
  }
  for (const names of tokenizerFileNames) {
    const files = await Promise.all(names.map(name => present(join(path, name))))
    const found = files.filter(file => file !== null)
    if (files[0] !== null) return loadTokenizer(found)
  }
  throw new InputError(
    `${path}: expected tokenizer.json, encoder.json with vocab.bpe or vocab.json with merges.txt, found none`,
  )
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into a folder. */
export const saveTokenizer = async (tokenizer: Tokenizer, folder: string): Promise<void> => {
  await writeFile(join(folder, 'tokenizer.json'), tokenizerJson(tokenizer))
  await writeFile(join(folder, 'tokenizer_config.json'), tokenizerConfigJson(tokenizer))
}
