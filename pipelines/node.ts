/** Pipelines, with those that read and write files: for Node. */
export { type Checkpoint, latestCheckpoint, readLatest, writeCheckpoint } from './checkpoint.ts'
export { type ModelContents, openModel, readFolder, writeFolder } from './folder.ts'
export * from './index.ts'
export { openTokenizer, saveTokenizer } from './tokenizerFiles.ts'
