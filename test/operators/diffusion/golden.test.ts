/** Sampler loops against published values: DDIM and DPM-Solver++(2M) with a toy model, on every engine that answers at once. */
import { readFileSync } from 'node:fs'
import * as t from 'io-ts'
import test from 'tape'
import { type Denoiser, denoiser } from '../../../operators/diffusion/denoiser.ts'
import type { Level } from '../../../operators/diffusion/level.ts'
import type { Parametrization } from '../../../operators/diffusion/parametrization.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { dpmSolver } from '../../../operators/diffusion/sampler/dpmSolver.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { scheduleLevels } from '../../../operators/diffusion/schedule/spacing.ts'
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { scale } from '../../../src/kernel/binary.ts'
import { key } from '../../../src/random.ts'
import { readNow, tensor } from '../../../src/tensor/tensor.ts'
import { withShared } from '../../shared.ts'

const Case = t.intersection([
  t.type({ mean: t.number }),
  t.partial({ prediction: t.string, beta_start: t.number, set_alpha_to_one: t.boolean, sum: t.number }),
])
const File = t.type({ steps: t.number, train_steps: t.number, ddim: t.array(Case), dpm_solver_pp_2m: t.array(Case) })

/** x / n over (batch 4, channel 3, 8, 8), counted with the batch innermost. */
const sample = (engine: Engine) => {
  const size = 4 * 3 * 8 * 8
  const values = Float64Array.from({ length: size }, (_, i) => ((i % 192) * 4 + Math.floor(i / 192)) / size)
  return tensor(engine, [4, 3, 8, 8], values)
}

/** Sum of absolute values after the loop. */
const run = (engine: Engine, sampler: Sampler, estimate: Denoiser, levels: readonly Level[]): number => {
  let x = sample(engine)
  let memory = sampler.init()
  for (const [i, from] of levels.slice(0, -1).entries()) {
    const to = levels[i + 1] ?? from
    const [moved, next] = sampler.step(memory, { x, from, to, key: key(0), denoiser: estimate })
    x = moved.sample
    memory = next
  }
  return Array.from(readNow(x)).reduce((sum, value) => sum + Math.abs(value), 0)
}

const model = (prediction: Parametrization, clip?: number): Denoiser =>
  denoiser((x, { time }) => scale(x, time / (time + 1)), { prediction, ...(clip === undefined ? {} : { clip }) })

test('golden: DDIM and DPM-Solver++(2M) loops end on the published sums', suite => {
  withShared(suite, 'data/vectors/samplers.json', path => {
    const file = decodeOrThrow(File, JSON.parse(readFileSync(path, 'utf8')), path)
    for (const engine of [referenceEngine(), wasmEngine()]) {
      for (const wanted of file.ddim) {
        const schedule = linearSchedule(file.train_steps, wanted.beta_start ?? 1e-4, 0.02)
        const end = wanted.set_alpha_to_one === false ? { end: levelAt(schedule, 0) } : {}
        const levels = scheduleLevels(schedule, file.steps, { spacing: 'leading', ...end })
        const found = run(engine, ddim(), model(wanted.prediction === 'v' ? 'v' : 'epsilon', 1), levels)
        // Published to 4 decimals; diffusers computes in f32 and allows 1e-2 and 1e-3 itself.
        suite.ok(Math.abs(found / 768 - wanted.mean) < 1e-4, `${engine.name} ddim: ${found / 768} ${wanted.mean}`)
        if (wanted.sum !== undefined)
          suite.ok(Math.abs(found - wanted.sum) < 1e-2, `${engine.name} ddim: sum ${found}, ${wanted.sum}`)
      }
      for (const wanted of file.dpm_solver_pp_2m) {
        const schedule = linearSchedule(file.train_steps)
        const levels = scheduleLevels(schedule, file.steps, { spacing: 'linspace', end: levelAt(schedule, 0) })
        const found = run(engine, dpmSolver, model(wanted.prediction === 'v' ? 'v' : 'epsilon'), levels) / 768
        suite.ok(Math.abs(found - wanted.mean) < 1e-4, `${engine.name} dpm-solver++: ${found}, ${wanted.mean}`)
      }
    }
  })
  suite.end()
})
