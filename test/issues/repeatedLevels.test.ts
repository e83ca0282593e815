/**
 * `linspace` over all of a schedule visits a time twice (as Diffusers' does): DPM-Solver++ divided by the length of that step, and a learned variance took the ratio of
 * two that are 0. What they drew was NaN.
 */
import test from 'tape'
import type { Denoiser } from '../../operators/diffusion/denoiser.ts'
import { ddim } from '../../operators/diffusion/sampler/ddim.ts'
import { ddpm } from '../../operators/diffusion/sampler/ddpm.ts'
import { dpmSolver } from '../../operators/diffusion/sampler/dpmSolver.ts'
import { predictorCorrector } from '../../operators/diffusion/sampler/predictorCorrector.ts'
import { euler, heun } from '../../operators/diffusion/sampler/probabilityFlow.ts'
import { eulerMaruyama } from '../../operators/diffusion/sampler/reverseSde.ts'
import { linearSchedule } from '../../operators/diffusion/schedule/linearSchedule.ts'
import { scheduleLevels } from '../../operators/diffusion/schedule/spacing.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { full } from '../../src/kernel/fill.ts'
import { key } from '../../src/random.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'
import { descend, gaussianDenoiser } from '../laws/diffusion.ts'

const levels = scheduleLevels(linearSchedule(20, 1e-3, 0.3), 20, { spacing: 'linspace' })
const denoiser: Denoiser = (x, at) => ({ ...gaussianDenoiser(0.5, 0.3)(x, at), fraction: full(x.engine, x.shape, 0.5) })

test('a step between equal levels changes nothing, whatever the sampler', t => {
  const x = tensor(referenceEngine(), [2], [-1, 1])
  t.equal(new Set(levels.map(({ time, sigma }) => `${time} ${sigma}`)).size, levels.length - 1, 'one level comes twice')
  const [twice] = levels.filter((level, i) => level.time === levels[i + 1]?.time && level.sigma > 0)
  if (twice === undefined) return t.fail('no such level')
  for (const [name, sampler] of Object.entries({
    ddim: ddim(),
    ddpm: ddpm(),
    learned: ddpm({ variance: 'learned' }),
    dpmSolver,
    euler,
    eulerMaruyama,
    heun,
  })) {
    const [{ sample }, memory] = sampler.step(sampler.init(), { x, from: twice, to: twice, key: key(1), denoiser })
    t.ok(
      readNow(sample).every((value, i) => Math.abs(value - (i === 0 ? -1 : 1)) < 1e-12),
      name,
    )
    t.ok(memory.length <= 1)
    t.ok(readNow(descend(sampler, denoiser, x, levels, key(1))).every(Number.isFinite), `${name}: all the way`)
  }
  const corrected = descend(predictorCorrector(), denoiser, x, levels, key(1))
  t.ok(readNow(corrected).every(Number.isFinite), 'predictorCorrector, which corrects at that level twice')
  t.end()
})
