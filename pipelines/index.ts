/** Models and jobs composed from operators and streams, for Node and browsers. Those that read and write files are `fluxion/node`. */
export { accumulateGradients, meanGradient } from './accumulation.ts'
export { type DecoderOptions, type DecoderState, decoder, fork, select, truncate } from './decoder.ts'
export {
  type AutoencoderPreset,
  type AutoencoderPresetName,
  autoencoderConfig,
  autoencoderPresets,
} from './diffusion/autoencoderPresets.ts'
export { captionsOf } from './diffusion/captions.ts'
export { type DenoiseControls, type DenoiseOptions, denoise, type Frame } from './diffusion/denoise.ts'
export { type AdaptiveOptions, denoiseAdaptively } from './diffusion/denoiseAdaptively.ts'
export { type DenoiserFiles, type OpenedDenoiser, openDenoiserFiles, readDenoiser } from './diffusion/denoisingFiles.ts'
export { denoisingObjective, evenLevels } from './diffusion/denoisingObjective.ts'
export {
  type DenoisingParts,
  type DenoisingPreset,
  type DenoisingPresetName,
  denoisingConfig,
  denoisingPresets,
} from './diffusion/denoisingPresets.ts'
export { type DenoisingRun, denoisingRun } from './diffusion/denoisingRun.ts'
export { type DiffuseOptions, diffuse, guidedDenoiser, type Shown } from './diffusion/diffuse.ts'
export { adaptiveResidual, dit, ditBlock } from './diffusion/dit.ts'
export { type EntropyDdpm, openEntropyDdpm } from './diffusion/entropyDdpm.ts'
export { flowLevel, flowMatchingObjective, type PairBatch } from './diffusion/flowMatchingObjective.ts'
export { type AutoencoderInspection, inspectAutoencoder } from './diffusion/inspectAutoencoder.ts'
export { type DenoiserInspection, inspectDenoiser } from './diffusion/inspectDenoiser.ts'
export { type Integrated, type IntegrateOptions, integrate } from './diffusion/integrate.ts'
export {
  type Autoencoder,
  autoencoderOf,
  conjugated,
  decoded,
  type LatentDiffusionOptions,
  latentDiffusion,
  type PromptOptions,
  promptedDenoiser,
  scalingFactor,
} from './diffusion/latent.ts'
export {
  type CaptionOptions,
  captionedLatents,
  captionTelling,
  encodeSet,
  type LatentSet,
  latentSamples,
  scaledLatents,
  textTokens,
} from './diffusion/latentBatches.ts'
export { type AutoencoderMeasurement, measureAutoencoder } from './diffusion/measureAutoencoder.ts'
export { type DenoiserMeasurement, measureDenoiser } from './diffusion/measureDenoiser.ts'
export type { MeasuredPictures } from './diffusion/measurePictures.ts'
export type { ClassConditionalModel, Noisy, TextConditionalModel } from './diffusion/network.ts'
export { autoencoderIn, denoisingNetwork, denoisingParameters, networkOf, sampleInput } from './diffusion/networkOf.ts'
export {
  type BatchOptions,
  classTelling,
  orderedBatches,
  type PictureBatch,
  pictureBatches,
  pictureSamples,
  randomBatches,
  randomPictures,
  type Samples,
  type Telling,
} from './diffusion/pictureBatches.ts'
export { type ResidualMlpOptions, residualMlp } from './diffusion/residualMlp.ts'
export { levelsOf, samplerOf } from './diffusion/samplerOf.ts'
export { scheduleOf } from './diffusion/scheduleOf.ts'
export { told } from './diffusion/telling.ts'
export { averagesOf, type DenoiserTraining, trainDenoiser } from './diffusion/trainDenoiser.ts'
export { type SampledStep, type TrainWithSamplesOptions, trainWithSamples } from './diffusion/trainWithSamples.ts'
export { residualBlock, spatialAttention, textUnet, unet, unetBody } from './diffusion/unet.ts'
export { type Vae, vae, vaeLoss } from './diffusion/vae.ts'
export { type Reconstruction, type VaeRun, vaeParameters, vaeRun } from './diffusion/vaeRun.ts'
export { type Bound, type VariationalBoundOptions, variationalBound } from './diffusion/variationalBound.ts'
export { type Evaluation, evaluate, evaluateBatches } from './evaluate.ts'
export { type Generated, type GenerateOptions, type GenerationModel, generate } from './generate.ts'
export { type GeneratedSample, type GenerateSamplesOptions, generateSamples } from './generateSamples.ts'
export { gpt, gptBlock } from './gpt.ts'
export { type InspectedTensor, type Inspection, inspect } from './inspect.ts'
export { type Block, everyHidden, everyLogits, type LanguageModel, nextLogits } from './languageModel.ts'
export { llama, llamaBlock } from './llama.ts'
export { type MeasuredPass, type Measurement, measure } from './measure.ts'
export { modelOf } from './model.ts'
export {
  type FileSource,
  type ModelFiles,
  modelKind,
  type OpenedModel,
  openModelFiles,
  readModel,
} from './modelFiles.ts'
export { download, upload, uploadWeights } from './parameters.ts'
export { type Preset, type PresetName, presetConfig, presets, presetTraining } from './presets.ts'
export { promptIds } from './prompt.ts'
export { quantize, weightTypes } from './quantize.ts'
export { optimizerOf, type Run, type RunStep, runTraining, type Snapshot, snapshotOf } from './runTraining.ts'
export { type Batch, consecutiveWindows, randomWindows, type Windows } from './textBatches.ts'
export { type TrainingStep, type TrainOptions, train } from './train.ts'
export {
  type Gradient,
  gradientOf,
  type Indexed,
  lossGradient,
  nextToken,
  nextTokenByBlocks,
  type Objective,
  objectiveTrainer,
  type Trained,
  type TrainerState,
  trainer,
} from './trainer.ts'
export { encodeParts, learnTokenizer, splitText } from './trainingData.ts'
export { type TrainingRun, trainingRun } from './trainingRun.ts'
