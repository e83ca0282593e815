/** Pipelines, with those that read and write files: for Node. */
export { type GifOptions, writeGif } from '../src/format/gif.ts'
export { readPng, writePng } from '../src/format/png.ts'
export { type Checkpoint, latestCheckpoint, readLatest, writeCheckpoint } from './checkpoint.ts'
export { convertLlama2c } from './convertLlama2c.ts'
export { convertPrecision, type Precision } from './convertPrecision.ts'
export { autoencoderFiles, openAutoencoder, readAutoencoder } from './diffusion/autoencoderFolder.ts'
export {
  type AutoencoderTrainingFolder,
  type AutoencoderTrainingFolderOptions,
  autoencoderTrainingFolder,
  trainAutoencoderInFolder,
} from './diffusion/autoencoderTrainingFolder.ts'
export { denoiserFiles, openDenoiser } from './diffusion/denoisingFolder.ts'
export {
  type DenoisingTrainingFolder,
  type DenoisingTrainingFolderOptions,
  denoisingTrainingFolder,
  trainDenoiserInFolder,
} from './diffusion/denoisingTrainingFolder.ts'
export { type ModelContents, openModel, readFolder, writeFolder } from './folder.ts'
export * from './index.ts'
export { openEngine } from './openEngine.ts'
export { quantizeFolder, type Sizes } from './quantizeFolder.ts'
export { readCaptions } from './readCaptions.ts'
export { readPicture, readPictures } from './readPictures.ts'
export { readText } from './readText.ts'
export { openTokenizer, saveTokenizer } from './tokenizerFiles.ts'
export { trainInFolder } from './trainInFolder.ts'
export { type ModelShape, type TrainingFolder, type TrainingFolderOptions, trainingFolder } from './trainingFolder.ts'
