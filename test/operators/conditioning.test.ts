/** D3, D4 and D5 of the operators by which networks over pictures are told what they make. */
import test from 'tape'
import { addChannels } from '../../operators/addChannels.ts'
import { crossAttention } from '../../operators/attention/crossAttention.ts'
import type { Planes } from '../../operators/convolution/planes.ts'
import { halves, thirds } from '../../operators/cuts.ts'
import { timeCondition } from '../../operators/diffusion/timeCondition.ts'
import { gatedSum } from '../../operators/gatedSum.ts'
import type { Hidden } from '../../operators/hidden.ts'
import { joinChannels } from '../../operators/joinChannels.ts'
import { adaptiveLayerNorm } from '../../operators/norm/adaptiveLayerNorm.ts'
import { layerNorm } from '../../operators/norm/layerNorm.ts'
import { sinusoidalPositions2d, sinusoidalTable2d } from '../../operators/position/sinusoidalPositions2d.ts'
import { type Context, context } from '../../src/context.ts'
import { parametersOf } from '../../src/initialize.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import { within } from '../laws/check.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { close, engine, numbers, random } from './support.ts'

const hidden = (shape: readonly number[], seed: number): Hidden => random(shape, seed)
const planes = (shape: readonly number[], seed: number): Planes => random(shape, seed)

/** Random parameters, none of them zero, for an operator at a point. */
const contextFor = <A>(op: Operator<A, unknown>, input: A): Context =>
  context(
    Object.fromEntries([...parametersOf(op, input)].map(([path, { shape }], i) => [path, random(shape, 100 + i, 0.5)])),
  )

const laws = <A, B>(name: string, op: Operator<A, B>, input: A): void => {
  test(`D3, D4: ${name}`, t => {
    const c = contextFor(op, input)
    within(t, 'D4 pullback = derivative', finiteDifference(op, c, input))
    within(t, 'D3 the pullback is linear and may be called twice', pullbackTwice(op, c, input))
    t.end()
  })
}

const x = hidden([2, 3, 4], 1)
const vector = (seed: number): Hidden => hidden([2, 1, 4], seed)
laws('adaptive layer norm', adaptiveLayerNorm, [x, vector(2), vector(3)] as const)
laws('gated sum', gatedSum, [x, hidden([2, 3, 4], 4), vector(5)] as const)
laws('halves', halves, x)
laws('thirds', thirds, hidden([2, 3, 6], 6))
laws('positions of a grid', sinusoidalPositions2d(2), hidden([2, 6, 4], 7))
laws('vectors added to channels', addChannels, [planes([2, 4, 3, 2], 8), vector(9)] as const)
laws('joined channels', joinChannels, [planes([2, 4, 3, 2], 10), planes([2, 1, 3, 2], 11)] as const)
laws('cross-attention', crossAttention({ width: 4, heads: 2, bias: false }), [x, hidden([2, 5, 6], 12)] as const)
laws('time condition', timeCondition({ name: 't', width: 6, frequencies: 8 }), times([0, 999]))

test('an adaptive layer norm with shift 0 and scale 0 is the layer norm', t => {
  scope(() => {
    const zero = tensor<readonly ['batch', 'time', 'width']>(engine, [2, 1, 4], new Float64Array(8))
    const adaptive = adaptiveLayerNorm(context({}), [x, zero, zero]).value
    const weight = tensor(engine, [4], [1, 1, 1, 1])
    const norm = layerNorm({ name: 'n', bias: false, epsilon: 1e-6 })
    const plain = norm(context({ 'n.weight': weight }), x).value
    t.ok(close(numbers(adaptive), numbers(plain), 1e-12))
    const shifted = adaptiveLayerNorm(context({}), [x, vector(2), zero]).value
    t.notOk(close(numbers(shifted), numbers(plain), 1e-12), 'negative control: a shift')
  })
  t.end()
})

test('N5: every place of a grid has its own row', t => {
  const table = sinusoidalTable2d(7, 5, 8)
  const rows = Array.from({ length: 35 }, (_, i) => table.subarray(i * 8, (i + 1) * 8).join())
  t.equal(new Set(rows).size, 35)
  t.equal(new Set(rows.map(row => row.split(',').slice(0, 4).join())).size, 7, 'the first half says the row')
  t.end()
})
