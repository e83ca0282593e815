/**
 * llama2.c's `tokenizer.bin` (stories260K's `tok512.bin`): ids 0, 1, 2 are `<unk>`, `<s>`, `</s>`, ids 3 to 258 the bytes.
 * Encoding equals llama2.c's `encode(text, 0, 0)`; with `addSpecial` `<s>` comes first. Law L12 stands on it.
 */
import { InputError } from '../../src/errors.ts'
import { byteOfPiece, parseLlama2cTokenizer } from '../../src/format/llama2cTokenizer.ts'
import { specialToken } from './model.ts'
import { sentencePieceBpe } from './sentencepieceBpe.ts'
import type { Tokenizer } from './tokenizer.ts'

const special = ['<unk>', '<s>', '</s>']
const FIRST_BYTE = special.length
const FIRST_PIECE = FIRST_BYTE + 256

export const openLlama2c = (bytes: Uint8Array, where: string): Tokenizer => {
  const pieces = parseLlama2cTokenizer(bytes, where)
  special.forEach((name, id) => {
    // llama2.c writes "\n<s>\n".
    const found = pieces[id]?.piece.trim()
    if (found !== name)
      throw new InputError(`${where}: piece ${id}: expected ${name}, found ${JSON.stringify(found ?? null)}`)
  })
  for (let byte = 0; byte < 256; byte++) {
    const found = pieces[FIRST_BYTE + byte]?.piece ?? ''
    if (byteOfPiece(found) !== byte) {
      throw new InputError(
        `${where}: piece ${FIRST_BYTE + byte}: expected byte ${byte}, found ${JSON.stringify(found)}`,
      )
    }
  }
  return sentencePieceBpe(
    {
      kind: 'sentencePieceBpe',
      pieces: pieces.map(({ piece }, id) => (id < FIRST_PIECE ? undefined : piece)),
      byteIds: Int32Array.from({ length: 256 }, (_, byte) => FIRST_BYTE + byte),
      merges: null,
      scores: Float32Array.from(pieces, ({ score }) => score),
      prefixSpace: 'each',
      blockIsSpace: false,
      unknownId: 0,
      added: special.map((name, id) => specialToken(id, name)),
      prefix: [1],
      suffix: [],
      endId: 2,
    },
    where,
  )
}
