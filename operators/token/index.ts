export { byteLevelBpe } from './byteLevelBpe.ts'
export {
  type CharacterOptions,
  characterTokenizer,
  trainCharacterTokenizer,
} from './character.ts'
export { countPieces, countPiecesAsync, PieceCounter } from './countPieces.ts'
export { type Detokenizer, type DetokenizerState, detokenizer } from './detokenizer.ts'
export { learnMerges } from './learnMerges.ts'
export { loadTokenizer, type TokenizerFile, tokenizerFileNames } from './loadTokenizer.ts'
export { type Merges, merge } from './merges.ts'
export type {
  AddedToken,
  ByteLevelModel,
  CharacterModel,
  MergeList,
  SentencePieceModel,
  TokenizerModel,
  WordModel,
} from './model.ts'
export { type Pattern, patternOf, patterns, pieces } from './pattern.ts'
export { sentencePieceBpe } from './sentencepieceBpe.ts'
export type { Splitter } from './split.ts'
export type { DecodeOptions, EncodeOptions, Tokenizer } from './tokenizer.ts'
export { tokenizerConfigJson, tokenizerJson } from './tokenizerJson.ts'
export {
  type BpeOptions,
  tokenizerOfMerges,
  trainByteLevelBpe,
  trainByteLevelBpeAsync,
} from './trainByteLevelBpe.ts'
export { trainWordTokenizer, type WordOptions, words, wordTokenizer } from './word.ts'
