export { byteLevelBpe } from './byte-level-bpe.ts'
export {
  type CharacterOptions,
  characterTokenizer,
  trainCharacterTokenizer,
} from './character.ts'
export { countPieces, countPiecesAsync, PieceCounter } from './count-pieces.ts'
export { type Detokenizer, type DetokenizerState, detokenizer } from './detokenizer.ts'
export { learnMerges } from './learn-merges.ts'
export { loadTokenizer, type TokenizerFile, tokenizerFileNames } from './load-tokenizer.ts'
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
export { sentencePieceBpe } from './sentencepiece-bpe.ts'
export type { Splitter } from './split.ts'
export type { DecodeOptions, EncodeOptions, Tokenizer } from './tokenizer.ts'
export { tokenizerConfigJson, tokenizerJson } from './tokenizer-json.ts'
export {
  type BpeOptions,
  tokenizerOfMerges,
  trainByteLevelBpe,
  trainByteLevelBpeAsync,
} from './train-byte-level-bpe.ts'
export { trainWordTokenizer, type WordOptions, words, wordTokenizer } from './word.ts'
