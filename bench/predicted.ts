/** What the shape engine says before anything is computed. */
import { decoder } from '../pipelines/decoder.ts'
import { nextLogits } from '../pipelines/languageModel.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { shapeEngine } from '../src/engine/shape/engine.ts'
import { parametersOf } from '../src/initialize.ts'
import type { Operator } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import { empty } from '../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../src/tensor/tokens.ts'
import { modelOf } from './ours.ts'
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
