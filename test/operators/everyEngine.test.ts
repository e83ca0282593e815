/**
 * Law K1 of whole operators and optimizers: value, states, gradients and cotangent on every engine, within the running bound of the same composite.
 * An engine is a row of test/kernel/engines.ts, an operator a row of cases.ts.
 */
import test from 'tape'
import * as all from '../../operators/index.ts'
import * as optimizers from '../../operators/optimizer/index.ts'
import * as sampling from '../../operators/sampling/index.ts'
import * as token from '../../operators/token/index.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { engines } from '../kernel/engines.ts'
import { withSpoiledFused, withSpoiledPrimitive } from '../kernel/spoiled.ts'
import { kernelDiscrepancy, type Problem } from '../laws/kernel.ts'
import { operatorProblems, optimizerProblems } from './cases.ts'
import { diffusionOthers, diffusionProblems } from './diffusionCases.ts'

/** Exports that are no operators: folds over keys, tables, families whose members have a row each, and what computes on the host. */
const others = new Set([
  ...['attended', 'joinStates', 'noKeys', 'stateOfKeys', 'paddingMask', 'slidingWindowMask', 'sinusoidalTable2d'],
  ...['activation', 'diffusion', ...Object.keys(optimizers), ...Object.keys(sampling), ...Object.keys(token)],
])

test('every operator has a row', t => {
  const lacking = (index: object, rows: readonly Problem[], rest: ReadonlySet<string>): readonly string[] => {
    const held = new Set(rows.map(({ label }) => label.split(',')[0]))
    return Object.keys(index).filter(name => !rest.has(name) && !held.has(name))
  }
  t.deepEqual(lacking(all, operatorProblems, others), [])
  t.deepEqual(lacking(all.diffusion, diffusionProblems, diffusionOthers), [], 'of diffusion')
  t.end()
})

for (const { name, make } of engines)
  test(`K1 every operator and its pullback, every optimizer: ${name}`, async t => {
    const engine = make()
    for (const problem of [...operatorProblems, ...diffusionProblems, ...optimizerProblems]) {
      const { ratio, at } = await kernelDiscrepancy(engine, problem)
      t.ok(ratio <= 1, ratio <= 1 ? problem.label : `${ratio.toPrecision(3)} times the bound at ${at}`)
    }
    t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
    t.end()
  })

test('K1 negative control: operators and samplers over one wrong kernel are found', async t => {
  const found = async (label: string, wrong: Engine): Promise<void> => {
    const problem = [...operatorProblems, ...diffusionProblems].find(row => row.label === label)
    t.ok(problem !== undefined && (await kernelDiscrepancy(wrong, problem)).ratio > 1, label)
  }
  await found('selfAttention', withSpoiledFused(wasmEngine(), 'jointAttentionPullback'))
  await found('splitQueryKeyValue', withSpoiledPrimitive(wasmEngine(), 'slice'))
  await found('scaledDotProductAttention, padding', withSpoiledPrimitive(wasmEngine(), 'binary'))
  await found('ddim', withSpoiledPrimitive(wasmEngine(), 'binary'))
  await found('hybridLoss', withSpoiledPrimitive(wasmEngine(), 'unary'))
  t.end()
})
