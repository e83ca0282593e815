import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { ShapeError } from '../../src/errors.ts'
import { adamW } from '../../src/kernel/adamW.ts'
import { append } from '../../src/kernel/append.ts'
import { attention, attentionPullback } from '../../src/kernel/attention.ts'
import { add } from '../../src/kernel/binary.ts'
import { convolution, convolutionInputGradient, convolutionWeightGradient } from '../../src/kernel/convolution.ts'
import { crossEntropyPullback, crossEntropySizes } from '../../src/kernel/crossEntropy.ts'
import { dot } from '../../src/kernel/dot.ts'
import { zeros } from '../../src/kernel/fill.ts'
import { gather, scatterAdd } from '../../src/kernel/gather.ts'
import { groupNorm, groupNormPullback } from '../../src/kernel/groupNorm.ts'
import { gruCell, gruCellPullback } from '../../src/kernel/gruCell.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import { jointAttention, jointAttentionPullback } from '../../src/kernel/jointAttention.ts'
import { layerNorm, layerNormPullback } from '../../src/kernel/layerNorm.ts'
import { linear, linearPullback } from '../../src/kernel/linear.ts'
import { accumulateEach, scaleEach, sumOfSquares } from '../../src/kernel/lists.ts'
import { lstmCell, lstmCellPullback } from '../../src/kernel/lstmCell.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { permute } from '../../src/kernel/permute.ts'
import { maxPool, maxPoolPullback, spread, sumPool } from '../../src/kernel/pool.ts'
import { sum } from '../../src/kernel/reduce.ts'
import { rmsNorm, rmsNormPullback } from '../../src/kernel/rmsNorm.ts'
import { rotary } from '../../src/kernel/rotary.ts'
import { concat, pad, slice, split } from '../../src/kernel/slice.ts'
import { softmaxPullback } from '../../src/kernel/softmax.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { holds } from '../property.ts'
import { engines } from './engines.ts'

type Make = (...shape: number[]) => Tensor

/** Calls whose shapes do not fit, by kernel. */
const misfits: Readonly<Record<string, (of: Make) => unknown>> = {
  'convolution of one image': of => convolution(of(3, 4, 4), of(2, 3, 3, 3), null),
  'convolution of 2 channels with a weight for 3': of => convolution(of(1, 2, 4, 4), of(2, 3, 3, 3), null),
  'convolution of 3 outputs in 2 groups': of => convolution(of(1, 4, 4, 4), of(3, 2, 3, 3), null, { groups: 2 }),
  'convolution in half a group': of => convolution(of(1, 2, 4, 4), of(4, 4, 3, 3), null, { groups: 0.5 }),
  'convolutionInputGradient in -1 groups': of =>
    convolutionInputGradient(of(1, 2, 2, 2), of(2, 3, 3, 3), [4, 4], { groups: -1 }),
  'convolutionWeightGradient in no groups': of =>
    convolutionWeightGradient(of(1, 2, 2, 2), of(1, 3, 4, 4), [3, 3], { groups: 0 }),
  'convolution with a bias of 3': of => convolution(of(1, 3, 4, 4), of(2, 3, 3, 3), of(3)),
  'convolution with a window larger than its plane': of => convolution(of(1, 3, 2, 4), of(2, 3, 3, 3), null),
  'convolution of stride 0': of => convolution(of(1, 3, 4, 4), of(2, 3, 3, 3), null, { stride: 0 }),
  'convolution with padding -1': of => convolution(of(1, 3, 4, 4), of(2, 3, 3, 3), null, { padding: -1 }),
  'convolutionInputGradient of a plane that gives other positions': of =>
    convolutionInputGradient(of(1, 2, 2, 2), of(2, 3, 3, 3), [5, 4]),
  'convolutionWeightGradient of other positions': of =>
    convolutionWeightGradient(of(1, 2, 2, 3), of(1, 3, 4, 4), [3, 3]),
  'maxPool of one image': of => maxPool(of(3, 4, 4), { window: 2 }),
  'maxPool with padding beyond half its window': of => maxPool(of(1, 3, 4, 4), { window: 3, padding: 2 }),
  'maxPoolPullback of other positions': of => maxPoolPullback(of(1, 3, 2, 3), of(1, 3, 4, 4), { window: 2 }),
  'maxPool of planes of no height': of => maxPool(of(1, 3, 0, 4), { window: 2, padding: 1 }),
  'maxPoolPullback of planes of no width': of =>
    maxPoolPullback(of(1, 3, 5, 1), of(1, 3, 4, 0), { window: 2, padding: 1, stride: 1 }),
  'sumPool of planes of no width': of => sumPool(of(1, 3, 4, 0), 1, { window: 2, padding: 1 }),
  'spread over planes of no height': of => spread(of(1, 3, 1, 4), 1, [0, 4], { window: 2, padding: 1, stride: 1 }),
  'sumPool with a window larger than its plane': of => sumPool(of(1, 3, 4, 4), 1, { window: 5 }),
  'spread over a plane of other positions': of => spread(of(1, 3, 2, 2), 1, [6, 4], { window: 2 }),
  'groupNorm of 3 channels in 2 groups': of => groupNorm(of(2, 3, 4), 2, of(3), of(3), 1e-5),
  'groupNorm in half a group': of => groupNorm(of(2, 3, 4), 0.5, of(3), of(3), 1e-5),
  'groupNorm in -3 groups': of => groupNorm(of(2, 3, 4), -3, of(3), of(3), 1e-5),
  'groupNorm with a weight of 4': of => groupNorm(of(2, 3, 4), 3, of(4), of(3), 1e-5),
  'groupNormPullback of other planes': of =>
    groupNormPullback(of(2, 4, 3), of(2, 4, 2), 2, of(4), { mean: of(4, 1), deviation: of(4, 1) }),
  'groupNormPullback with statistics of 2 rows': of =>
    groupNormPullback(of(2, 4, 3), of(2, 4, 3), 2, of(4), { mean: of(2, 1), deviation: of(4, 1) }),
  'lstmCell of 3 gates': of => lstmCell(of(2, 9), of(2, 3)),
  'lstmCellPullback of other rows': of => lstmCellPullback(of(3, 3), of(2, 3), of(2, 12), of(2, 3)),
  'gruCell of 4 gates': of => gruCell(of(2, 9), of(2, 12), of(2, 3)),
  'gruCellPullback of other rows': of => gruCellPullback(of(3, 3), of(2, 9), of(2, 9), of(2, 3)),
  'add of [2,3] and [2,4]': of => add(of(2, 3), of(2, 4)),
  'dot of [6] and [2,3]': of => dot(of(6), of(2, 3)),
  'accumulate of [3] into [2,3]': of => accumulate(of(2, 3), of(3)),
  'sum over axis 2 of [2,3]': of => sum(of(2, 3), 2),
  'sum of a scalar': of => sum(of(), 0),
  'permute by a repeated axis': of => permute(of(2, 3), [0, 0]),
  'permute by too few axes': of => permute(of(2, 3), [0]),
  'slice past the end': of => slice(of(2, 3), 1, 2, 2),
  'slice from before the start': of => slice(of(2, 3), 1, -1, 1),
  'slice from half a position': of => slice(of(2, 3), 1, 0.5, 1),
  'slice from no number': of => slice(of(2, 3), 1, Number.NaN, 1),
  'slice of one and a half': of => slice(of(2, 3), 1, 0, 1.5),
  'pad at half a position': of => pad(of(2, 3), 1, 0.5, 4),
  'pad at no number': of => pad(of(2, 3), 1, Number.NaN, 4),
  'pad into a length of 4.5': of => pad(of(2, 3), 1, 1, 4.5),
  'pad into too little': of => pad(of(2, 3), 1, 1, 3),
  'concat of [2,3] and [3,4]': of => concat([of(2, 3), of(3, 4)], 1),
  'split into wrong lengths': of => split(of(2, 3), 1, [1, 1]),
  'matmul of [2,3] and [4,2]': of => matmulTransposed(of(2, 3), of(4, 2), {}),
  'matmul of [2,3] and [2,4] transposed': of => matmulTransposed(of(2, 3), of(2, 4), { transposeY: true }),
  'matmul of a vector': of => matmulTransposed(of(3), of(3, 2), {}),
  'matmul of other leading axes': of => matmulTransposed(of(2, 2, 3), of(3, 3, 2), {}),
  'linear with a weight for rows of 4': of => linear(of(2, 3), of(4, 5), null, false),
  'linear with a bias of 4': of => linear(of(2, 3), of(3, 5), of(4), false),
  'linear with a vector as weight': of => linear(of(2, 3), of(3), null, false),
  'linearPullback with dy [2,4]': of => linearPullback(of(2, 4), of(2, 3), of(3, 5), false, false),
  'gather from a vector': of => gather(of(3), tokens([0])),
  'scatterAdd of 2 rows by 3 ids': of => scatterAdd(of(2, 3), tokens([0, 1, 2]), 4),
  'softmaxPullback of [3] and [2,3]': of => softmaxPullback(of(3), of(2, 3)),
  'layerNorm with a weight of 4': of => layerNorm(of(2, 3), of(4), null, 1e-5),
  'layerNorm of a scalar': of => layerNorm(of(), of(1), null, 1e-5),
  'layerNormPullback of [3] and [2,3]': of =>
    layerNormPullback(of(3), of(2, 3), null, false, { mean: of(2, 1), deviation: of(2, 1) }),
  'layerNormPullback with means [1,2]': of =>
    layerNormPullback(of(2, 3), of(2, 3), null, false, { mean: of(1, 2), deviation: of(2, 1) }),
  'rmsNorm with a weight of 4': of => rmsNorm(of(2, 3), of(4), 1e-5),
  'rmsNormPullback of [3] and [2,3]': of => rmsNormPullback(of(3), of(2, 3), null, of(2, 1)),
  'rotary of an odd width': of => rotary(of(1, 2, 3), of(2, 1), of(2, 1), 1, false),
  'rotary of half a head': of => rotary(of(1, 2, 4), of(2, 4), of(2, 4), 0.5, false),
  'rotary with a table for 3 positions': of => rotary(of(1, 2, 4), of(3, 2), of(3, 2), 1, false),
  'rotary of four axes': of => rotary(of(1, 2, 4, 2), of(2, 2), of(2, 2), 1, false),
  'attention of width 3 in 2 heads': of => attention(of(1, 2, 3), of(1, 2, 3), of(1, 2, 3), { heads: 2, causal: true }),
  'attention of another batch': of => attention(of(1, 2, 4), of(2, 2, 4), of(2, 2, 4), { heads: 2, causal: true }),
  'attention with values of another width': of =>
    attention(of(1, 2, 4), of(1, 2, 4), of(1, 2, 2), { heads: 2, causal: true }),
  'attention with values of more axes': of =>
    attention(of(1, 2, 4), of(1, 2, 4), of(1, 2, 4, 1), { heads: 2, causal: true }),
  'attention of four axes': of => attention(of(1, 2, 4, 1), of(1, 2, 4, 1), of(1, 2, 4, 1), { heads: 2, causal: true }),
  'causal attention with fewer keys than queries': of =>
    attention(of(1, 3, 4), of(1, 2, 4), of(1, 2, 4), { heads: 2, causal: true }),
  'attention with more keys than the cache holds': of =>
    attention(of(1, 2, 4), of(1, 2, 4), of(1, 2, 4), { heads: 2, causal: false, keys: 3 }),
  'attention over -1 keys': of =>
    attention(of(1, 2, 4), of(1, 2, 4), of(1, 2, 4), { heads: 2, causal: false, keys: -1 }),
  'attention over one key and a half': of =>
    attention(of(1, 1, 4), of(1, 2, 4), of(1, 2, 4), { heads: 2, causal: true, keys: 1.5 }),
  'attention over no number of keys': of =>
    attention(of(1, 2, 4), of(1, 2, 4), of(1, 2, 4), { heads: 2, causal: false, keys: Number.NaN }),
  'attention of half a head more': of => attention(of(1, 2, 5), of(1, 2, 5), of(1, 2, 5), { heads: 2.5, causal: true }),
  'attention of 3 heads over 2': of =>
    attention(of(1, 2, 6), of(1, 2, 4), of(1, 2, 4), { heads: 3, keyValueHeads: 2, causal: true }),
  'attentionPullback with dOut [1,1,4]': of =>
    attentionPullback(
      of(1, 1, 4),
      of(1, 2, 4),
      of(1, 2, 4),
      of(1, 2, 4),
      { value: of(1, 2, 4), logSumExp: of(1, 2, 2) },
      { heads: 2, causal: true },
    ),
  'jointAttention of width 8 in 2 heads': of => jointAttention(of(1, 2, 8), { heads: 2, causal: true }),
  'jointAttention of two axes': of => jointAttention(of(2, 6), { heads: 2, causal: true }),
  'jointAttentionPullback with dOut [1,2,6]': of =>
    jointAttentionPullback(
      of(1, 2, 6),
      of(1, 2, 6),
      { value: of(1, 2, 2), logSumExp: of(1, 2, 2) },
      { heads: 2, causal: true },
    ),
  'crossEntropy of 3 targets for 2 rows': of => crossEntropySizes(of(2, 5), tokens([0, 1, 2]), {}),
  'crossEntropyPullback with 3 losses for 2 rows': of => {
    const logits = of(2, 5)
    return crossEntropyPullback(of(3), logits, of(2), crossEntropySizes(logits, tokens([0, 1]), {}))
  },
  'adamW with a moment of another shape': of =>
    adamW([{ firstMoment: of(2), secondMoment: of(3), gradient: of(3), parameter: of(3), weightDecay: 0 }], {
      ...{ rate: 1, beta1: 0.5, beta2: 0.5, epsilon: 1, correction1: 1, correction2: 1 },
    }),
  'sumOfSquares of no tensors': () => sumOfSquares([]),
  'scaleEach by more than one number': of => scaleEach([of(2)], of(2).share<readonly []>()),
  'accumulateEach of another shape': of => accumulateEach([of(2), of(3)], [of(2), of(2)]),
  'accumulateEach of another number of tensors': of => accumulateEach([of(2), of(3)], [of(2)]),
  'append past the capacity': of => append(of(1, 4, 2), of(1, 3, 2), 2),
  'append before the start': of => append(of(1, 4, 2), of(1, 1, 2), -1),
  'append at half a position': of => append(of(1, 4, 2), of(1, 1, 2), 0.5),
  'append at no number': of => append(of(1, 4, 2), of(1, 1, 2), Number.NaN),
  'append of another width': of => append(of(1, 4, 2), of(1, 1, 3), 0),
  'a view of another size': of => of(2, 3).share([5]),
  'a view of negative lengths': of => of(2, 3).share([-2, -3]),
  'a tensor of negative lengths': of => of(-2, -3),
  'a tensor of length -1': of => of(-1),
  'a tensor of half a length': of => of(0.5, 2),
  'a tensor of no number': of => of(Number.NaN),
}

/** K2: the call throws a ShapeError and no launch was counted. */
const refuses = (engine: Engine, call: (of: Make) => unknown): boolean =>
  scope(() => {
    const made: Tensor[] = []
    const of: Make = (...shape) => {
      const x = zeros(engine, shape)
      made.push(x)
      launches = engine.counter.launches
      return x
    }
    let launches = engine.counter.launches
    try {
      call(of)
      return false
    } catch (error) {
      return error instanceof ShapeError && engine.counter.launches === launches
    }
  })

for (const { name, make } of engines)
  test(`K2 shapes that do not fit throw a ShapeError before any launch: ${name}`, t => {
    const engine = make()
    for (const [what, call] of Object.entries(misfits)) t.ok(refuses(engine, call), what)
    t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
    t.notOk(
      refuses(engine, of => add(of(2, 3), of(3))),
      'negative control: shapes that fit are not refused',
    )
    t.notOk(
      refuses(engine, of => {
        sum(of(2, 3), 0)
        throw new ShapeError('too late')
      }),
      'negative control: a launch before the error is noticed',
    )
    t.end()
  })

test('K2 operands on two engines are refused before any launch', t => {
  for (const { name, make } of engines) {
    const engine = make()
    scope(() => {
      const x = zeros(engine, [2, 3])
      const { launches } = engine.counter
      t.throws(() => add(x, zeros(referenceEngine(), [2, 3])), ShapeError, name)
      t.equal(engine.counter.launches, launches, `${name} launched nothing`)
    })
  }
  t.end()
})

const lengths = fc.integer({ min: 0, max: 4 })

test('K2 result shapes are as declared, empty and length-1 axes included', t => {
  const engine = referenceEngine()
  const shapeOf = (body: (of: Make) => Tensor): string =>
    scope(() => body((...shape) => zeros(engine, shape)).shape).join()
  holds(
    t,
    'matmul: (a, b) and (b, c) give (a, c)',
    fc.property(
      lengths,
      lengths,
      lengths,
      (a, b, c) => shapeOf(of => matmulTransposed(of(a, b), of(b, c), {})) === [a, c].join(),
    ),
  )
  holds(
    t,
    'sum leaves length 1',
    fc.property(lengths, lengths, (a, b) => shapeOf(of => sum(of(a, b), 1)) === [a, 1].join()),
  )
  holds(
    t,
    'concat adds lengths',
    fc.property(
      lengths,
      lengths,
      lengths,
      (a, b, c) => shapeOf(of => concat([of(a, b), of(a, c)], 1)) === [a, b + c].join(),
    ),
  )
  holds(
    t,
    'gather puts the width after the shape of the ids',
    fc.property(
      lengths,
      lengths,
      (n, width) => shapeOf(of => gather(of(3, width), tokens(new Array<number>(n).fill(2)))) === [1, n, width].join(),
    ),
  )
  t.end()
})
