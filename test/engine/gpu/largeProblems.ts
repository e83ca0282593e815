/** Problems of law K1 whose sizes leave the first tile, workgroup or piece of every kernel that has them, and end inside one. */
import type { Fused } from '../../../src/engine/fused.ts'
import { attention, attentionPullback } from '../../../src/kernel/attention.ts'
import { crossEntropy, crossEntropySizes } from '../../../src/kernel/crossEntropy.ts'
import { dot } from '../../../src/kernel/dot.ts'
import { layerNorm, layerNormPullback } from '../../../src/kernel/layerNorm.ts'
import { linear } from '../../../src/kernel/linear.ts'
import { matmul } from '../../../src/kernel/matmul.ts'
import { reduce } from '../../../src/kernel/reduce.ts'
import { softmax, softmaxPullback } from '../../../src/kernel/softmax.ts'
import { sizeOf } from '../../../src/tensor/tensor.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import type { Problem, Run } from '../../laws/kernel.ts'

/** The last two axes of `matmul`'s operands. */
type Left = readonly [...string[], 'row', 'inner']
type Right = readonly [...string[], 'inner', 'column']

const problem = (
  label: string,
  fused: readonly (keyof Fused)[],
  shapes: readonly (readonly number[])[],
  run: Run,
): Problem => ({
  label,
  inputs: shapes.map((shape, phase) => ({
    shape,
    values: Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(1 + 7.3 * phase + 1.7 * i))),
  })),
  run,
  fused,
  bounded: run,
})

const attended = (
  label: string,
  queries: number,
  keys: number,
  capacity: number,
  heads: number,
  keyValueHeads: number,
  causal: boolean,
) =>
  problem(
    `attention ${label}`,
    ['attention', 'attentionPullback'],
    [
      [2, queries, heads * 8],
      [2, capacity, keyValueHeads * 8],
      [2, capacity, keyValueHeads * 8],
      [2, queries, heads * 8],
    ],
    (query, key, value, dOut) => {
      const options = { heads, keyValueHeads, causal, keys }
      const out = attention(query, key, value, options)
      const { dQuery, dKey, dValue } = attentionPullback(dOut, query, key, value, out, options)
      return [out.value, dQuery, dKey, dValue]
    },
  )

export const largeProblems: readonly Problem[] = [
  problem(
    'matmul',
    [],
    [
      [2, 70, 90],
      [2, 90, 100],
    ],
    (x, y) => [matmul(x.share<Left>(), y.share<Right>())],
  ),
  problem(
    'matmul, tiles of 128',
    [],
    [
      [1030, 9],
      [9, 1030],
    ],
    (x, y) => [matmul(x.share<Left>(), y.share<Right>())],
  ),
  problem('linear', ['linear'], [[70, 90], [90, 100], [100]], (x, w, b) => [linear(x, w, b, false)]),
  problem('linear, transposed', ['linear'], [[70, 90], [100, 90], [100]], (x, w, b) => [linear(x, w, b, true)]),
  problem('linear of few rows', ['linear'], [[3, 700], [700, 70], [70]], (x, w, b) => [linear(x, w, b, false)]),
  problem('linear of few rows, transposed', ['linear'], [[3, 700], [70, 700], [70]], (x, w, b) => [
    linear(x, w, b, true),
  ]),
  problem(
    'linear of few rows, transposed, odd',
    ['linear'],
    [
      [8, 301],
      [70, 301],
    ],
    (x, w) => [linear(x, w, null, true)],
  ),
  problem('layerNorm', ['layerNorm', 'layerNormPullback'], [[40, 700], [700], [700], [40, 700]], (x, w, b, dy) => {
    const y = layerNorm(x, w, b, 1e-3)
    const { dx, dWeight, dBias } = layerNormPullback(dy, x, w, true, y)
    return [y.value, dx, dWeight, dBias].flatMap(part => part ?? [])
  }),
  problem(
    'softmax',
    ['softmax', 'softmaxPullback'],
    [
      [3, 700],
      [3, 700],
    ],
    (x, dy) => {
      const y = softmax(x)
      return [y, softmaxPullback(dy, y)]
    },
  ),
  problem('crossEntropy', ['crossEntropy'], [[5, 700]], logits => [
    crossEntropy(logits, crossEntropySizes(logits, tokens([3, 699, 0, 257, 300]), { labelSmoothing: 0.1 })).losses,
  ]),
  problem('dot', ['dot'], [[40_000], [40_000]], (x, y) => [dot(x, y)]),
  problem('reduce', [], [[2, 40_000]], x => [reduce('sum', x, 1), reduce('max', x, 1)]),
  attended('of a prompt', 70, 70, 75, 2, 1, true),
  attended('of a chunk', 70, 140, 140, 2, 2, true),
  attended('without mask', 9, 300, 310, 2, 2, false),
  attended('of one query', 1, 300, 310, 4, 2, true),
]
