/** Diffusion models: noising paths, what networks predict, and the machines that undo the noise. */
export { combine, type Levels, type Term } from './combine.ts'
export {
  type ConditionalModel,
  conditioned,
  type Denoiser,
  type DenoiserOptions,
  type DiffusionModel,
  denoiser,
  type Estimate,
  type Predict,
  predictor,
} from './denoiser.ts'
export {
  nextStep,
  type Slope,
  squaredErrorNorm,
  type Tolerance,
  type Trial,
  trialStep,
} from './flow/dormandPrince.ts'
export { assignment, optimalPairing } from './flow/optimalPairing.ts'
export { classifierFree } from './guidance/classifierFree.ts'
export {
  type ClassifierGuidance,
  classGradient,
  classifierGuidance,
  type NoisyClassifier,
} from './guidance/classifierGuidance.ts'
export { clean, type Level, noiseRatio, signalToNoise } from './level.ts'
export { type HybridLossOptions, hybridLoss, type Step } from './loss/hybridLoss.ts'
export { lossWeight, type Weighting } from './loss/lossWeight.ts'
export { squaredError } from './loss/squaredError.ts'
export {
  type Bins,
  bitsPerDimension,
  decoderTerm,
  gaussianDivergence,
  priorTerm,
  stepTerm,
} from './loss/variationalBound.ts'
export { noiseLike, noiseOf } from './noise.ts'
export { convert, type Parametrization, separate, targetOf, weightsOf } from './parametrization.ts'
export { partialLevels } from './partialLevels.ts'
export { type Posterior, posterior } from './posterior.ts'
export { forwardStep, qSample, type Transition, transition } from './qSample.ts'
export { type AnnealedLangevinOptions, annealedLangevin } from './sampler/annealedLangevin.ts'
export { consistency } from './sampler/consistency.ts'
export { ddim } from './sampler/ddim.ts'
export { ddpm, type Variance } from './sampler/ddpm.ts'
export { dpmSolver } from './sampler/dpmSolver.ts'
export { type InpaintOptions, inpaint } from './sampler/inpaint.ts'
export { type PredictorCorrectorOptions, predictorCorrector } from './sampler/predictorCorrector.ts'
export { euler, heun } from './sampler/probabilityFlow.ts'
export { eulerMaruyama } from './sampler/reverseSde.ts'
export { type Memory, type Move, type Moved, oneStep, type Sampler } from './sampler/sampler.ts'
export { cosineSchedule } from './schedule/cosineSchedule.ts'
export { flowSchedule } from './schedule/flowSchedule.ts'
export { linearSchedule } from './schedule/linearSchedule.ts'
export { fromAlphaBar, levelAt, type NoiseSchedule, noiseSchedule } from './schedule/noiseSchedule.ts'
export { explodingLevels, levelOfRatio, preservingLevels } from './schedule/sigmaLevels.ts'
export { exponentialSigmas, karrasSigmas, type SigmaRange } from './schedule/sigmas.ts'
export { type SigmoidOptions, sigmoidSchedule } from './schedule/sigmoidSchedule.ts'
export { type Spacing, scheduleLevels, spacedTimes } from './schedule/spacing.ts'
export { slerp } from './slerp.ts'
export { type TimeConditionOptions, timeCondition } from './timeCondition.ts'
export { type TimeEmbeddingOptions, timeEmbedding } from './timeEmbedding.ts'
