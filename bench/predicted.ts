/** What the `shape` engine says before anything is computed. */
import { type DecoderState, decoder } from '../pipelines/decoder.ts'
import { everyLogits, nextLogits } from '../pipelines/languageModel.ts'
import { type Gradient, trainer } from '../pipelines/trainer.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { shapeEngine } from '../src/engine/shape/engine.ts'
import { parametersOf } from '../src/initialize.ts'
import type { Operator } from '../src/operator.ts'
import { key } from '../src/random.ts'
import { scope, tensorsOf } from '../src/tensor/scope.ts'
import { empty } from '../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../src/tensor/tokens.ts'
import { modelOf, optimizer } from './ours.ts'
import type { GptShape } from './weights.ts'

/** Floating-point operations of a prompt's pass, logits of its last position only. */
export const prefillFlops = (shape: GptShape, length: number): number => {
  const engine = shapeEngine()
  const model = nextLogits(modelOf(shape))
  const parameters = declared(model, engine)
  const before = engine.counter.flops
  const ids = tokens(new Int32Array(length))
  scope(() => decoder(model, { parameters, capacity: length }).step({ caches: {}, length: 0 }, ids))
  return engine.counter.flops - before
}

/** A model's parameters on an engine, without numbers. */
export const declared = (model: Operator<Tokens, unknown>, engine: Engine): Named =>
  Object.fromEntries(Array.from(parametersOf(model, tokens([0])), ([name, { shape }]) => [name, empty(engine, shape)]))

/** Most bytes at once of a prompt's pass and a last step, parameters and caches included. */
export const predictedDecoding = (shape: GptShape, length: number, capacity: number): number => {
  const engine = shapeEngine()
  const model = nextLogits(modelOf(shape))
  const machine = decoder(model, { parameters: declared(model, engine), capacity })
  const step = (state: DecoderState, count: number) =>
    scope(() => machine.step(state, tokens(new Int32Array(count)))[1])
  step({ ...step(machine.init(), length), length: capacity - 1 }, 1)
  return engine.counter.peakBytes
}

/** Most bytes at once of training steps: as `train` does, the gradient of one step is kept until the next one's is there. */
export const predictedTraining = (shape: GptShape, batch: number): number => {
  const engine = shapeEngine()
  const model = everyLogits(modelOf(shape))
  const memory = optimizer(1e-3)
  const start = () => ({ parameters: declared(model, engine), optimizer: memory.init(), step: 0 })
  const machine = trainer(model, memory, start, key(0))
  const ids = tokens(new Int32Array(batch * shape.block), [batch, shape.block])
  let state = machine.init()
  let last: Gradient | null = null
  for (let index = 0; index < 2; index++) {
    const gradient = machine.gradient(state, { index, inputs: ids, targets: ids })
    for (const tensor of tensorsOf(last)) tensor.release()
    state = scope(() => machine.update(state, gradient)[1])
    last = gradient
  }
  return engine.counter.peakBytes
}
