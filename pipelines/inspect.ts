/** What a model costs, found by running it on the `shape` engine, which counts and computes nothing. */
import type { ModelConfig } from '../src/codec/model.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { shapeEngine } from '../src/engine/shape/engine.ts'
import { type ParameterSpec, parametersOf } from '../src/initialize.ts'
import { key } from '../src/random.ts'
import { scope } from '../src/tensor/scope.ts'
import { empty, sizeOf } from '../src/tensor/tensor.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import { decoder } from './decoder.ts'
import { everyLogits, nextLogits } from './languageModel.ts'
import { modelOf } from './model.ts'
import { gradientOf } from './trainer.ts'

export interface InspectedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly elements: number
}

export interface Inspection {
  /** Numbers in all parameter tensors, a shared one counted once. */
  readonly parameters: number
  readonly tensors: readonly InspectedTensor[]
  readonly vocabulary: number
  /** Positions of one sequence. */
  readonly context: number
  /** Floating-point operations a token; a multiply and an add count two. */
  readonly flops: {
    /** One cached decoding step, at the first and at the last position. */
    readonly decodeFirst: number
    readonly decodeLast: number
    /** Loss and gradient of one sequence of full context, a token of it. */
    readonly train: number
  }
  /** Bytes of the tensors that kernels read and write for a token, in f32. */
  readonly bytes: {
    /** One cached decoding step at the last position. */
    readonly decodeLast: number
    readonly train: number
  }
  /** Bytes, in f32. */
  readonly memory: {
    readonly parameters: number
    /** Keys and values of one sequence of full context. */
    readonly cache: number
    /** Most at once while decoding, parameters and caches included. */
    readonly decode: number
    /** Most at once for loss and gradient of one sequence of full context, parameters included. */
    readonly train: number
  }
}

const BYTES = 4

const row = (length: number): Tokens => ({ ids: new Int32Array(length), shape: [1, length] })

const declared = (specs: ReadonlyMap<string, ParameterSpec>, engine: Engine): Named =>
  Object.fromEntries(Array.from(specs, ([name, { shape }]) => [name, empty(engine, shape)]))

interface Cost {
  readonly flops: number
  /** Read and written by kernels. */
  readonly movedBytes: number
  /** Most at once. */
  readonly peakBytes: number
}

const cost = (engine: Engine, work: () => void): Cost => {
  const { counter } = engine
  const { flops, movedBytes } = counter
  counter.peakBytes = counter.liveBytes
  work()
  return {
    flops: counter.flops - flops,
    movedBytes: counter.movedBytes - movedBytes,
    peakBytes: counter.peakBytes,
  }
}

/** Decoding at the first and at the last position. */
const decoding = (config: ModelConfig, specs: ReadonlyMap<string, ParameterSpec>) => {
  const model = modelOf(config)
  const { positions } = model
  const engine = shapeEngine()
  const machine = decoder(nextLogits(model), { parameters: declared(specs, engine), capacity: positions })
  const step = (length: number) => {
    const state = length === 0 ? machine.init() : scope(() => machine.step(machine.init(), row(length))[1])
    return { state, ...cost(engine, () => scope(() => machine.step(state, row(1))[1])) }
  }
  const first = step(0)
  const last = step(positions - 1)
  const cache = Object.values(last.state.caches).reduce((bytes, { shape }) => bytes + sizeOf(shape) * BYTES, 0)
  return { first, last, cache }
}

const training = (config: ModelConfig, specs: ReadonlyMap<string, ParameterSpec>) => {
  const model = modelOf(config)
  const engine = shapeEngine()
  const parameters = declared(specs, engine)
  const batch = { index: 0, inputs: row(model.positions), targets: row(model.positions) }
  return cost(engine, () => gradientOf(everyLogits(model), parameters, batch, key(0)))
}

/** Parameters, shapes, FLOPs and memory of a configuration's model. */
export const inspect = (config: ModelConfig): Inspection => {
  const model = modelOf(config)
  const { positions: context, vocabulary } = model
  const specs = parametersOf(everyLogits(model), row(1))
  const tensors = Array.from(specs, ([name, { shape }]) => ({ name, shape, elements: sizeOf(shape) }))
  const parameters = tensors.reduce((sum, { elements }) => sum + elements, 0)
  const { first, last, cache } = decoding(config, specs)
  const train = training(config, specs)
  return {
    parameters,
    tensors,
    vocabulary,
    context,
    flops: { decodeFirst: first.flops, decodeLast: last.flops, train: train.flops / context },
    bytes: { decodeLast: last.movedBytes, train: train.movedBytes / context },
    memory: { parameters: parameters * BYTES, cache, decode: last.peakBytes, train: train.peakBytes },
  }
}
