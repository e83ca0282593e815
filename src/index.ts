/** What things are: tensors on engines, kernels, operators, machines, scopes, randomness, formats. */
export { AutoencoderTrainingOptions } from './codec/autoencoderTraining.ts'
export { decode, decodeOrThrow } from './codec/decode.ts'
export { DenoisingConfig, NetworkConfig } from './codec/denoising.ts'
export { DenoisingTrainingOptions } from './codec/denoisingTraining.ts'
export { DiffusingOptions } from './codec/diffusing.ts'
export { DitConfig } from './codec/dit.ts'
export { GenerationConfig, GenerationOptions } from './codec/generation.ts'
export { Gpt2Config } from './codec/gpt2.ts'
export type { ModelKind } from './codec/kind.ts'
export { LlamaConfig } from './codec/llama.ts'
export { decodeModelConfig, encodeModelConfig, type ModelConfig } from './codec/model.ts'
export { TrainingOptions } from './codec/training.ts'
export { UnetConfig } from './codec/unet.ts'
export { VaeConfig } from './codec/vae.ts'
export { add, category, compose, copy, id, parallel, residual, sequence, stack } from './compose.ts'
export {
  type Context,
  context,
  type Declare,
  type Initializer,
  type Named,
  normalInit,
  onesInit,
  parameter,
  type Tap,
  type Weights,
  weight,
  zerosInit,
} from './context.ts'
export type { Cotangent } from './cotangent.ts'
export { type Apply, define, type Wire } from './define.ts'
export type { Counter } from './engine/counter.ts'
export type { Engine, HostData } from './engine/engine.ts'
export type { Activation } from './engine/fused.ts'
export { type EngineName, engineNames, type Opened, type OpenOptions, openEngine } from './engine/open.ts'
export { referenceEngine } from './engine/reference/engine.ts'
export { shapeEngine } from './engine/shape/engine.ts'
export { type WasmEngine, type WasmOptions, wasmEngine } from './engine/wasm/engine.ts'
export { OutOfMemoryError } from './engine/wasm/memory.ts'
export { ThreadError } from './engine/wasm/threads.ts'
export { EngineError, InputError, NumericError, ShapeError, UsedAfterFreeError } from './errors.ts'
export { fitPictures } from './format/fitPictures.ts'
export { halfBlocks } from './format/halfBlocks.ts'
export { floats, type HostTensor, type HostTensors, hostTensor } from './format/hostTensor.ts'
export { type GridOptions, pictureGrid } from './format/pictureGrid.ts'
export { joinPictures, type PictureSet, type Pictures, pictureAt, toBytes, toSigned } from './format/pictures.ts'
export { type HostMatrix, type WeightType, widened } from './format/quantized/hostMatrix.ts'
export { halveMatrix, quantizeMatrix } from './format/quantized/quantizeMatrix.ts'
export { readSafetensors, writeSafetensors } from './format/safetensors.ts'
export { initialize, initialValues, type ParameterSpec, parametersOf } from './initialize.ts'
export { chain, type Machine, pure } from './machine.ts'
export { concat as addGradients, type Operator, type Pulled } from './operator.ts'
export * as random from './random.ts'
export { fold, type Key, key } from './random.ts'
export { checkpoint, scoped } from './scoped.ts'
export { flatten, unflatten } from './state.ts'
export { type QuantizedMatrix, quantizedMatrix, type Weight } from './tensor/quantizedMatrix.ts'
export { Region } from './tensor/region.ts'
export { scope, tensorsOf } from './tensor/scope.ts'
export { type Axes, empty, read, readNow, type Shape, sizeOf, type Tensor, tensor } from './tensor/tensor.ts'
export { type Times, times } from './tensor/times.ts'
export { type Tokens, tokens } from './tensor/tokens.ts'
