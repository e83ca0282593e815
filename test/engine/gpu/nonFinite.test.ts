/** NaN and infinities on the gpu engine: NaN where the reference has NaN, so that a run that diverged never looks healthy. */
import test from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import type { Activation } from '../../../src/engine/fused.ts'
import { gpuEngine } from '../../../src/engine/gpu/engine.ts'
import { binaryOps, unaryOps } from '../../../src/engine/primitives.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { activation, activationWithSlope } from '../../../src/kernel/activation.ts'
import { attention } from '../../../src/kernel/attention.ts'
import { binary } from '../../../src/kernel/binary.ts'
import { crossEntropy, crossEntropySizes } from '../../../src/kernel/crossEntropy.ts'
import { layerNorm } from '../../../src/kernel/layerNorm.ts'
import { matmul } from '../../../src/kernel/matmul.ts'
import { reduce } from '../../../src/kernel/reduce.ts'
import { rmsNorm } from '../../../src/kernel/rmsNorm.ts'
import { softmax } from '../../../src/kernel/softmax.ts'
import { unary } from '../../../src/kernel/unary.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { read, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import { modes } from './support.ts'

const kinds: readonly Activation[] = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid']

/** Two rows, of which the first holds a NaN. */
const marred = (engine: Engine): Tensor => tensor(engine, [2, 4], [1, Number.NaN, 2, -3, 4, 1, 2, 3])
const heads = { heads: 1, causal: false }

const cases: Readonly<Record<string, (engine: Engine) => Tensor>> = {
  ...Object.fromEntries(
    unaryOps.map(op => [op, (engine: Engine) => unary(op, tensor(engine, [5], [Number.NaN, -2, -200, 0.5, 200]))]),
  ),
  ...Object.fromEntries(
    binaryOps.map(op => [
      op,
      (engine: Engine) => binary(op, tensor(engine, [3], [Number.NaN, 1, 2]), tensor(engine, [3], [1, Number.NaN, 3])),
    ]),
  ),
  ...Object.fromEntries(
    kinds.flatMap(kind => [
      [`activation ${kind}`, (engine: Engine) => activation(kind, marred(engine))],
      [`value beside the slope of ${kind}`, (engine: Engine) => activationWithSlope(kind, marred(engine)).value],
    ]),
  ),
  'sum of rows': engine => reduce('sum', marred(engine), 1),
  'max of rows': engine => reduce('max', marred(engine), 1),
  'max of columns': engine => reduce('max', marred(engine), 0),
  softmax: engine => softmax(marred(engine)),
  layerNorm: engine => layerNorm(marred(engine), null, null, 1e-5).value,
  rmsNorm: engine => rmsNorm(marred(engine), null, 1e-5).value,
  matmul: engine =>
    matmul(marred(engine).share<['row', 'inner']>(), tensor<['inner', 'column']>(engine, [4, 1], [1, 1, 1, 1])),
  crossEntropy: engine => {
    const logits = marred(engine)
    return crossEntropy(logits, crossEntropySizes(logits, tokens([0, 1]), {})).losses
  },
  ...Object.fromEntries(
    // One query walks the keys by itself, five go by tables.
    [1, 5].map(queries => [
      `attention of ${queries}`,
      (engine: Engine) => {
        const query = tensor(engine, [1, queries, 1], [Number.NaN, 1, 2, 3, 4].slice(0, queries))
        return attention(query, tensor(engine, [1, 2, 1], [1, 2]), tensor(engine, [1, 2, 1], [1, 3]), heads).value
      },
    ]),
  ),
}

const numbers = (engine: Engine, run: (engine: Engine) => Tensor): Promise<HostData> =>
  Promise.resolve(read(scope(() => run(engine))))

for (const mode of modes)
  test(`gpu engine, mode ${mode}: what is not finite`, async t => {
    const [engine, reference] = [gpuEngine({ mode }), referenceEngine()]
    const wheres = (values: HostData) => [...values].map(value => Number.isNaN(value))
    for (const [name, run] of Object.entries(cases))
      t.deepEqual(
        wheres(await numbers(engine, run)),
        wheres(await numbers(reference, run)),
        `${name}: NaN where the reference has NaN`,
      )

    for (const queries of [1, 5]) {
      const scored = (query: number, keys: readonly number[]) => (on: Engine) =>
        attention(
          tensor(on, [1, queries, 1], Array(queries).fill(query)),
          tensor(on, [1, 2, 1], keys),
          tensor(on, [1, 2, 1], [1, 3]),
          heads,
        ).value
      const far = scored(1e18, [-1e18, -1.0000001e18])
      t.deepEqual(
        [...(await numbers(engine, far))],
        [...(await numbers(reference, far))],
        `A4 ${queries} queries, scores of -1e36`,
      )
      t.deepEqual(
        [...(await numbers(engine, scored(1e30, [-1e30, -1e30])))],
        Array(queries).fill(0),
        `A4 ${queries} queries, scores of -infinity`,
      )
    }
    await engine.destroy()
    t.end()
  })
