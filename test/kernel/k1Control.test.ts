import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import type { Fused } from '../../src/engine/fused.ts'
import type { Primitives } from '../../src/engine/primitives.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { K1 } from '../laws/kernel.ts'
import { kernelCases } from './problems.ts'
import { withDroppedTerm, withSpoiledFused, withSpoiledPrimitive } from './spoiled.ts'

/** A case that launches each primitive. */
const caseOf: Readonly<Record<keyof Primitives, string>> = {
  fill: 'full, duplicate',
  copy: 'full, duplicate',
  unary: 'unary exp',
  binary: 'binary add',
  reduce: 'sum',
  matmul: 'matmul',
  gather: 'gather, scatterAdd',
  scatterAdd: 'gather, scatterAdd',
  permute: 'permute',
  slice: 'slice, pad',
  pad: 'slice, pad',
  assign: 'append',
  accumulate: 'accumulate',
  uniform: 'uniform, dropout',
}

/** A case that launches each fused kernel. */
const fusedCaseOf: Readonly<Record<keyof Fused, string>> = {
  linear: 'linear',
  quantizedMatmul: 'quantizedMatmul q8_0',
  quantizedGather: 'quantizedGather f16',
  softmax: 'softmax',
  softmaxPullback: 'softmaxPullback',
  activation: 'activation gelu',
  activationWithSlope: 'activationWithSlope gelu',
  layerNorm: 'layerNorm',
  layerNormPullback: 'layerNormPullback',
  rmsNorm: 'rmsNorm',
  rmsNormPullback: 'rmsNormPullback',
  groupNorm: 'groupNorm',
  groupNormPullback: 'groupNormPullback',
  rotary: 'rotary',
  attention: 'attention',
  attentionPullback: 'attentionPullback',
  jointAttention: 'jointAttention',
  jointAttentionPullback: 'jointAttentionPullback',
  convolution: 'convolution',
  convolutionInputGradient: 'convolutionInputGradient',
  convolutionWeightGradient: 'convolutionWeightGradient',
  maxPool: 'maxPool, maxPoolPullback',
  maxPoolPullback: 'maxPool, maxPoolPullback',
  sumPool: 'sumPool, spread',
  spread: 'sumPool, spread',
  lstmCell: 'lstmCell',
  lstmCellPullback: 'lstmCellPullback',
  gruCell: 'gruCell',
  gruCellPullback: 'gruCellPullback',
  crossEntropy: 'crossEntropy, crossEntropyPullback',
  crossEntropyPullback: 'crossEntropy, crossEntropyPullback',
  dropout: 'uniform, dropout',
  dot: 'dot',
  adamW: 'adamW',
  sumOfSquares: 'sumOfSquares',
  scaleEach: 'scaleEach',
  accumulateEach: 'accumulateEach',
}

const RUNS = 60

const found = async (engine: Engine, name: string): Promise<boolean> => {
  const kernel = kernelCases.find(candidate => candidate.name === name)
  if (kernel === undefined) throw new RangeError(`no kernel case '${name}'`)
  const holds = fc.asyncProperty(kernel.problem, problem => K1.holds(engine, problem))
  return (await fc.check(holds, { numRuns: RUNS, endOnFailure: true })).failed
}

/** The keys of a record, typed. */
const names = <K extends string>(record: Readonly<Record<K, string>>): K[] => {
  const keys: K[] = []
  for (const name in record) keys.push(name)
  return keys
}

test('K1 negative control: each primitive a thousandth off in one element is found', async t => {
  for (const name of names(caseOf)) t.ok(await found(withSpoiledPrimitive(referenceEngine(), name), caseOf[name]), name)
})

test('K1 negative control: each fused kernel a thousandth off in one element is found', async t => {
  for (const name of names(fusedCaseOf))
    t.ok(await found(withSpoiledFused(wasmEngine(), name), fusedCaseOf[name]), name)
})

test('K1 negative control: a dropped term is found', async t => {
  t.ok(await found(withDroppedTerm(referenceEngine()), 'total'))
})
