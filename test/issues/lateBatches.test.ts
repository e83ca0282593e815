/** On an engine that answers late, a validation pulled all of its batches at once and held them until their turn came. */
import { take } from 'rxjs'
import test from 'tape'
import { eachBatch } from '../../pipelines/eachBatch.ts'
import { meanLoss } from '../../pipelines/meanLoss.ts'
import type { Objective } from '../../pipelines/trainer.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { key } from '../../src/random.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { S15, whole } from '../laws/streams.ts'
import { readingLate } from '../pipelines/support.ts'

interface Sized {
  readonly index: number
  readonly shape: readonly number[]
}

for (const late of [false, true])
  test(`validation holds one batch at a time (${late ? 'late' : 'prompt'} reads)`, async t => {
    const engine = late ? readingLate(wasmEngine()) : wasmEngine()
    let [pulled, measured, most, returned] = [0, 0, 0, 0]
    const source = {
      *[Symbol.iterator](): Generator<Sized> {
        try {
          for (let index = 0; index < 20; index++) {
            most = Math.max(most, ++pulled - measured)
            yield { index, shape: [index + 1] }
          }
        } finally {
          returned++
        }
      },
    }
    const objective: Objective<Sized> = (_, { index }) => {
      measured++
      return { value: tensor(engine, [], [index]), pullback: () => [{}, null] }
    }
    const { values } = await whole(meanLoss(objective, {}, source, key(0)))
    // Σ i (i + 1) / Σ (i + 1) for i < 20.
    t.ok(values.length === 1 && Math.abs((values[0] ?? Number.NaN) - 2660 / 210) < 1e-6, `${values}`)
    t.deepEqual([pulled, measured, most, returned], [20, 20, 1, 1])
    await whole(eachBatch(source, ({ index }) => index).pipe(take(3)))
    t.deepEqual([pulled, returned], [23, 2], 'an abandoned source is closed')
    t.ok(S15.holds(engine.counter), 'S15')
    t.end()
  })
