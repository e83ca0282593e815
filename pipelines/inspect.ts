/** What a model costs, found by running it on the `shape` engine, which counts and computes nothing. */
import type { ModelConfig } from '../src/codec/model.ts'
import type { Weights } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { shapeEngine } from '../src/engine/shape/engine.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import type { WeightType } from '../src/format/quantized/hostMatrix.ts'
import { storedMatrices } from '../src/format/quantized/modelMatrices.ts'
import { type ParameterSpec, parametersOf } from '../src/initialize.ts'
import { key } from '../src/random.ts'
import { emptyMatrix } from '../src/tensor/quantizedMatrix.ts'
import { scope } from '../src/tensor/scope.ts'
import { sizeOf } from '../src/tensor/tensor.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import { type Cost, cost, declared } from './cost.ts'
import { decoder, truncate } from './decoder.ts'
import { everyLogits, nextLogits } from './languageModel.ts'
import { modelOf } from './model.ts'
import { lossGradient, nextTokenByBlocks } from './trainer.ts'

export interface InspectedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly elements: number
  /** Bits a number in the file and where the engine has kernels for them: f32 for all but matrices in f16 or q8_0. */
  readonly type: 'f32' | WeightType
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
    /** A prompt that fills the context in one pass, a token of it; logits of the last position only. */
    readonly prefill: number
    /** Loss and gradient of one sequence of full context, a token of it. */
    readonly train: number
  }
  /** Bytes of the tensors that kernels read and write for a token: f32 but for matrices in fewer bits. Of the same passes. */
  readonly bytes: {
    readonly decodeFirst: number
    readonly decodeLast: number
    readonly prefill: number
    /** As `memory.train`, of f32 parameters. */
    readonly train: number
  }
  /** Bytes. */
  readonly memory: {
    readonly parameters: number
    /** Keys and values of one sequence of full context. */
    readonly cache: number
    /** Most at once while decoding, parameters and caches included. */
    readonly decode: number
    /** Most at once for loss and gradient of one sequence of full context, parameters in f32 included. */
    readonly train: number
  }
}

const BYTES = 4

const row = (length: number): Tokens => ({ ids: new Int32Array(length), shape: [1, length] })

/** With matrices in the types that they are stored in. */
const declaredAs = (stored: StoredMatrices, specs: Specs, engine: Engine): Weights => ({
  ...declared(new Map(Array.from(specs).filter(([name]) => !stored.has(name))), engine),
  ...Object.fromEntries(
    Array.from(stored, ([name, { type, shape, innerAxis }]) => [name, emptyMatrix(engine, type, shape, innerAxis)]),
  ),
})

type Specs = ReadonlyMap<string, ParameterSpec>
type StoredMatrices = ReturnType<typeof storedMatrices>

/** Decoding at the first and at the last position, and a prompt of full context; the caches are there already. */
const decoding = (config: ModelConfig, specs: Specs, stored: StoredMatrices) => {
  const model = modelOf(config)
  const { positions } = model
  const engine = shapeEngine()
  const machine = decoder(nextLogits(model), { parameters: declaredAs(stored, specs, engine), capacity: positions })
  const held = engine.counter.liveBytes
  let state = scope(() => machine.step(machine.init(), row(positions))[1])
  const step = (position: number, count: number): Cost =>
    cost(engine, () => {
      state = scope(() => machine.step(truncate(state, position), row(count))[1])
    })
  const cache = Object.values(state.caches).reduce((bytes, { shape }) => bytes + sizeOf(shape) * BYTES, 0)
  return { last: step(positions - 1, 1), first: step(0, 1), whole: step(0, positions), cache, held }
}

const training = (config: ModelConfig, specs: Specs) => {
  const model = modelOf(config)
  const engine = shapeEngine()
  const parameters = declared(specs, engine)
  const batch = { index: 0, inputs: row(model.positions), targets: row(model.positions) }
  return cost(engine, () => lossGradient(nextTokenByBlocks(model), parameters, batch, key(0)))
}

/** Parameters, shapes, FLOPs and memory of a configuration's model, its weights in f32 unless stored `tensors` say otherwise. */
export const inspect = (config: ModelConfig, tensors: HostTensors = new Map()): Inspection => {
  const model = modelOf(config)
  const { positions: context, vocabulary } = model
  const specs = parametersOf(everyLogits(model), row(1))
  const stored = storedMatrices(config, tensors)
  const inspected = Array.from(specs, ([name, { shape }]) => {
    const type: InspectedTensor['type'] = stored.get(name)?.type ?? 'f32'
    return { name, shape, elements: sizeOf(shape), type }
  })
  const parameters = inspected.reduce((sum, { elements }) => sum + elements, 0)
  const { first, last, whole, cache, held } = decoding(config, specs, stored)
  const train = training(config, specs)
  return {
    parameters,
    tensors: inspected,
    vocabulary,
    context,
    flops: {
      decodeFirst: first.flops,
      decodeLast: last.flops,
      prefill: whole.flops / context,
      train: train.flops / context,
    },
    bytes: {
      decodeFirst: first.movedBytes,
      decodeLast: last.movedBytes,
      prefill: whole.movedBytes / context,
      train: train.movedBytes / context,
    },
    memory: { parameters: held, cache, decode: last.peakBytes, train: train.peakBytes },
  }
}
