/** Random problems for every public kernel of src/kernel, values and pullbacks: the input of laws K1 and K2. */
import fc from 'fast-check'
import type { Activation, Fused } from '../../src/engine/fused.ts'
import { binaryOps, type UnaryOp, unaryOps } from '../../src/engine/primitives.ts'
import type { WeightType } from '../../src/format/quantized/hostMatrix.ts'
import { halveMatrix, quantizeMatrix } from '../../src/format/quantized/quantizeMatrix.ts'
import { activation, activationWithSlope } from '../../src/kernel/activation.ts'
import { adamW } from '../../src/kernel/adamW.ts'
import { append } from '../../src/kernel/append.ts'
import { attention, attentionPullback } from '../../src/kernel/attention.ts'
import { sameShape } from '../../src/kernel/axis.ts'
import { add, binary, broadcastShape, multiply, scale, subtract } from '../../src/kernel/binary.ts'
import {
  type ConvolutionOptions,
  convolution,
  convolutionInputGradient,
  convolutionWeightGradient,
} from '../../src/kernel/convolution.ts'
import { crossEntropy, crossEntropyPullback, crossEntropySizes } from '../../src/kernel/crossEntropy.ts'
import { dot } from '../../src/kernel/dot.ts'
import { dropout, uniformTensor } from '../../src/kernel/dropout.ts'
import { duplicate, full } from '../../src/kernel/fill.ts'
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
import { quantizedMatmul, roundToBlocks } from '../../src/kernel/quantizedMatmul.ts'
import { broadcastTo, max, reduceTo, sum, total } from '../../src/kernel/reduce.ts'
import { rmsNorm, rmsNormPullback } from '../../src/kernel/rmsNorm.ts'
import { rotary } from '../../src/kernel/rotary.ts'
import { concat, pad, slice, split } from '../../src/kernel/slice.ts'
import { softmax, softmaxPullback } from '../../src/kernel/softmax.ts'
import { exp, unary } from '../../src/kernel/unary.ts'
import { elementsSeen, patches, windowOf } from '../../src/kernel/window.ts'
import { key } from '../../src/random.ts'
import { type QuantizedMatrix, quantizedMatrix } from '../../src/tensor/quantizedMatrix.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { type Draw, draw, type HostArray, length, numbers, positiveLength, shape } from '../arbitraries/tensor.ts'
import type { Problem, Run } from '../laws/kernel.ts'
import { halvedConvolution, halvedInputGradient, halvedWeightGradient } from './halvedWinograd.ts'
import { winogradConvolution, winogradInputGradient, winogradWeightGradient } from './winograd.ts'

export interface KernelCase {
  readonly name: string
  readonly problem: fc.Arbitrary<Problem>
}

interface Made {
  readonly inputs: readonly HostArray[]
  readonly run: Run
  readonly fused?: readonly (keyof Fused)[]
  readonly bounded?: Run
}

/** A case from its sizes and how to make a problem of them. */
const kernelCase = <T>(name: string, sizes: fc.Arbitrary<T>, make: (sizes: T, draw: Draw) => Made): KernelCase => ({
  name,
  problem: fc.tuple(sizes, draw).map(([chosen, from]) => {
    const { inputs, run, fused = [], bounded = run } = make(chosen, from)
    const shapes = inputs.map(input => `[${input.shape}]`).join(' ')
    return { label: `${name} ${JSON.stringify(chosen)} of ${shapes}`, inputs, run, fused, bounded }
  }),
})

/** Inputs of these shapes. */
const arrays = (from: Draw, ...shapes: readonly (readonly number[])[]): HostArray[] =>
  shapes.map((s, i) => numbers(from, i, s))

/** The tensors of a run, by position. */
const withTensors =
  (run: (at: (index: number) => Tensor) => readonly Tensor[]): Run =>
  (...inputs) =>
    run(index => {
      const found = inputs[index]
      if (found === undefined) throw new RangeError(`no input ${index}`)
      return found
    })

const present = (...xs: readonly (Tensor | null)[]): Tensor[] => xs.filter(x => x !== null)

const positive: ReadonlySet<UnaryOp> = new Set<UnaryOp>(['log', 'sqrt', 'reciprocalSqrt', 'reciprocal'])
const activations: readonly Activation[] = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid']

/** Away from zero: divisors and arguments of logarithms. */
const away = ({ shape, values }: HostArray): HostArray => ({
  shape,
  values: values.map(x => Math.fround(Math.abs(x) + 0.01)),
})

/** Two shapes that broadcast: each axis of either may be missing or 1. */
const broadcasting = shape({ min: 0, max: 4 }, 6).chain(whole =>
  fc
    .tuple(
      fc.nat(whole.length),
      fc.array(fc.boolean(), { minLength: whole.length, maxLength: whole.length }),
      fc.boolean(),
    )
    .map(([from, ones, swap]) => {
      const small = whole.map((l, i) => (ones[i] ? 1 : l)).slice(from)
      return swap ? [small, whole] : [whole, small]
    }),
)

const withAxis = shape({ min: 1, max: 4 }, 9).chain(s =>
  fc.record({ shape: fc.constant(s), axis: fc.nat(s.length - 1) }),
)
const rowed = fc.tuple(fc.array(length(5), { maxLength: 2 }), positiveLength(70)).map(([lead, n]) => [...lead, n])

const elementwise: readonly KernelCase[] = [
  ...unaryOps.map(op =>
    kernelCase(`unary ${op}`, shape({ min: 0, max: 3 }), (s, from) => ({
      inputs: arrays(from, s).map(x => (positive.has(op) ? away(x) : x)),
      run: withTensors(at => [unary(op, at(0))]),
    })),
  ),
  ...binaryOps.map(op =>
    kernelCase(`binary ${op}`, broadcasting, ([s = [], t = []], from) => ({
      inputs: arrays(from, s, t).map((x, i) => (op === 'divide' && i === 1 ? away(x) : x)),
      run: withTensors(at => [binary(op, at(0), at(1))]),
    })),
  ),
  kernelCase('scale', shape({ min: 0, max: 3 }), (s, from) => ({
    inputs: arrays(from, s),
    run: withTensors(at => [scale(at(0), from.deviation / 3)]),
  })),
  kernelCase('full, duplicate', shape({ min: 0, max: 3 }), (s, from) => ({
    inputs: arrays(from, s),
    run: withTensors(at => [full(at(0).engine, s, from.deviation / 3), duplicate(at(0))]),
  })),
  kernelCase('accumulate', shape({ min: 0, max: 3 }), (s, from) => ({
    inputs: arrays(from, s, s),
    run: withTensors(at => [accumulate(at(0), at(1), from.deviation / 3)]),
  })),
  ...activations.flatMap(kind => [
    kernelCase(`activation ${kind}`, shape({ min: 0, max: 3 }), (s, from) => ({
      inputs: arrays(from, s),
      run: withTensors(at => [activation(kind, at(0))]),
      fused: ['activation'],
    })),
    kernelCase(`activationWithSlope ${kind}`, shape({ min: 0, max: 3 }), (s, from) => ({
      inputs: arrays(from, s),
      run: withTensors(at => {
        const { value, slope } = activationWithSlope(kind, at(0))
        return [value, slope]
      }),
      fused: ['activationWithSlope'],
    })),
  ]),
]

const reductions: readonly KernelCase[] = [
  kernelCase('sum', withAxis, ({ shape: s, axis }, from) => ({
    inputs: arrays(from, s),
    run: withTensors(at => [sum(at(0), axis)]),
  })),
  kernelCase('max', withAxis, ({ shape: s, axis }, from) => ({
    inputs: arrays(from, s),
    run: withTensors(at => [max(at(0), axis)]),
  })),
  kernelCase('total', shape({ min: 0, max: 3 }), (s, from) => ({
    inputs: arrays(from, s),
    run: withTensors(at => [total(at(0))]),
  })),
  kernelCase('dot', shape({ min: 0, max: 3 }), (s, from) => ({
    inputs: arrays(from, s, s),
    run: withTensors(at => [dot(at(0), at(1))]),
    fused: ['dot'],
  })),
  kernelCase('reduceTo, broadcastTo', broadcasting, ([s = [], t = []], from) => {
    const whole = broadcastShape(s, t)
    const small = sameShape(s, whole) ? t : s
    return {
      inputs: arrays(from, whole, small),
      run: withTensors(at => [reduceTo(at(0), small), broadcastTo(at(1), whole)]),
    }
  }),
]

const moves: readonly KernelCase[] = [
  kernelCase(
    'permute',
    shape({ min: 0, max: 4 }, 6).chain(s =>
      fc.record({
        shape: fc.constant(s),
        order: fc.shuffledSubarray(
          s.map((_, i) => i),
          { minLength: s.length },
        ),
      }),
    ),
    ({ shape: s, order }, from) => ({ inputs: arrays(from, s), run: withTensors(at => [permute(at(0), order)]) }),
  ),
  kernelCase(
    'slice, pad',
    fc.tuple(withAxis, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
    ([{ shape: s, axis }, a, b], from) => {
      const whole = s[axis] ?? 0
      const start = Math.floor(a * whole)
      const count = Math.floor(b * (whole - start))
      return {
        inputs: arrays(from, s),
        run: withTensors(at => [slice(at(0), axis, start, count), pad(at(0), axis, start, whole + start + count)]),
      }
    },
  ),
  kernelCase(
    'concat, split',
    fc.tuple(withAxis, fc.array(length(6), { minLength: 1, maxLength: 3 })),
    ([{ shape: s, axis }, lengths], from) => ({
      inputs: [
        ...arrays(from, ...lengths.map(l => s.with(axis, l))),
        numbers(
          from,
          9,
          s.with(
            axis,
            lengths.reduce((a, b) => a + b, 0),
          ),
        ),
      ],
      run: (...inputs) => {
        const [first, ...rest] = inputs.slice(0, -1)
        const last = inputs[inputs.length - 1]
        if (first === undefined || last === undefined) throw new RangeError('no inputs')
        return [concat([first, ...rest], axis), ...split(last, axis, lengths)]
      },
    }),
  ),
  kernelCase(
    'append',
    fc.record({
      batch: length(4),
      count: length(4),
      before: length(4),
      room: length(4),
      width: length(20),
      forked: fc.boolean(),
    }),
    ({ batch, count, before, room, width, forked }, from) => ({
      inputs: arrays(from, [batch, before + count + room, width], [batch, before, width], [batch, count, width]),
      run: withTensors(at => {
        const filled = append(at(0), at(1), 0)
        const fork = forked ? [filled.share()] : []
        return [append(filled, at(2), before), ...fork]
      }),
    }),
  ),
  kernelCase(
    'gather, scatterAdd',
    fc.record({ rows: positiveLength(12), width: length(20), ids: fc.array(fc.nat(1000), { maxLength: 12 }) }),
    ({ rows, width, ids }, from) => {
      const chosen = tokens(ids.map(id => id % rows))
      return {
        inputs: arrays(from, [rows, width], [1, ids.length, width]),
        run: withTensors(at => [gather(at(0), chosen), scatterAdd(at(1), chosen, rows)]),
      }
    },
  ),
  kernelCase(
    'uniform, dropout',
    fc.tuple(shape({ min: 0, max: 3 }), fc.constantFrom(0, 0.125, 0.5, 0.9)),
    ([s, rate], from) => ({
      inputs: arrays(from, s),
      run: withTensors(at => [
        uniformTensor(at(0).engine, s, key(from.seed)),
        dropout(at(0), key(from.seed), Math.fround(rate)),
      ]),
      fused: ['dropout'],
    }),
  ),
]

/** The matrix that a draw makes of its `index`-th numbers, along a random axis, on the engine of a tensor. */
const matrixOf =
  (type: WeightType, from: Draw, index: number, inner: number, columns: number, innerFirst: boolean) =>
  ({ engine }: Tensor): QuantizedMatrix => {
    const shape: readonly [number, number] = innerFirst ? [inner, columns] : [columns, inner]
    const values = Float32Array.from(numbers(from, index, shape).values)
    const make = type === 'f16' ? halveMatrix : quantizeMatrix
    return quantizedMatrix(engine, make(values, shape, innerFirst ? 0 : 1, 'weights'))
  }

const quantized: readonly KernelCase[] = (['q8_0', 'f16'] as const).flatMap(type => [
  kernelCase(
    `quantizedMatmul ${type}`,
    fc.record({
      lead: fc.array(length(5), { maxLength: 2 }),
      inner: positiveLength(100),
      columns: positiveLength(70),
      bias: fc.boolean(),
      innerFirst: fc.boolean(),
    }),
    ({ lead, inner, columns, bias, innerFirst }, from) => {
      const matrix = matrixOf(type, from, 2, inner, columns, innerFirst)
      return {
        inputs: arrays(from, [...lead, inner], [columns]),
        run: withTensors(at => [quantizedMatmul(at(0), matrix(at(0)), bias ? at(1) : null)]),
        fused: ['quantizedMatmul'],
        // γ (|x̃| |W| + |b|): the bias may be what the sum starts from.
        bounded: withTensors(at => {
          const x = type === 'f16' ? at(0) : roundToBlocks(at(0))
          const rows = lead.reduce((n, l) => n * l, 1)
          const wide = concat([x.share([rows, inner]), full(x.engine, [rows, 1], 1)], 1)
          const { cells } = matrix(x)
          const row = bias ? at(1) : scale(at(1), 0)
          const tall = concat([innerFirst ? cells : permute(cells, [1, 0]), row.share([1, columns])], 0)
          return [matmulTransposed(wide, tall, {}).share([...lead, columns])]
        }),
      }
    },
  ),
  kernelCase(
    `quantizedGather ${type}`,
    fc.record({ rows: positiveLength(40), width: positiveLength(70), ids: fc.array(fc.nat(1000), { maxLength: 12 }) }),
    ({ rows, width, ids }, from) => {
      const table = matrixOf(type, from, 0, width, rows, false)
      return {
        inputs: arrays(from, [1]),
        run: withTensors(at => [gather(table(at(0)), tokens(ids.map(id => id % rows)))]),
        fused: ['quantizedGather'],
      }
    },
  ),
])

const products: readonly KernelCase[] = [
  kernelCase(
    'matmul',
    fc.record({
      lead: fc.array(length(3), { maxLength: 2 }),
      rows: length(20),
      inner: length(70),
      columns: length(40),
      batched: fc.boolean(),
      transposeX: fc.boolean(),
      transposeY: fc.boolean(),
    }),
    ({ lead, rows, inner, columns, batched, transposeX, transposeY }, from) => {
      const matrix = (swap: boolean, a: number, b: number) => (swap ? [b, a] : [a, b])
      return {
        inputs: arrays(
          from,
          [...lead, ...matrix(transposeX, rows, inner)],
          [...(batched ? lead : []), ...matrix(transposeY, inner, columns)],
        ),
        run: withTensors(at => [matmulTransposed(at(0), at(1), { transposeX, transposeY })]),
      }
    },
  ),
  kernelCase(
    'linear',
    fc.record({
      lead: fc.array(length(5), { maxLength: 2 }),
      inner: length(70),
      columns: length(40),
      bias: fc.boolean(),
      transposed: fc.boolean(),
    }),
    ({ lead, inner, columns, bias, transposed }, from) => ({
      inputs: arrays(from, [...lead, inner], transposed ? [columns, inner] : [inner, columns], [columns]),
      run: withTensors(at => [linear(at(0), at(1), bias ? at(2) : null, transposed)]),
      fused: ['linear'],
      // γ_{k+1} (|x| |W| + |b|): the bias may be what the sum starts from.
      bounded: withTensors(at => {
        const [x, w] = [at(0), at(1)]
        const rows = lead.reduce((n, l) => n * l, 1)
        const ones = full(x.engine, [rows, 1], 1)
        const wide = concat([x.share([rows, inner]), ones], 1)
        const row = bias ? at(2) : scale(at(2), 0)
        const tall = concat([transposed ? permute(w, [1, 0]) : w, row.share([1, columns])], 0)
        return [matmulTransposed(wide, tall, {}).share([...lead, columns])]
      }),
    }),
  ),
  ...quantized,
  kernelCase(
    'linearPullback',
    fc.record({
      lead: fc.array(length(5), { maxLength: 2 }),
      inner: length(40),
      columns: length(40),
      bias: fc.boolean(),
      transposed: fc.boolean(),
    }),
    ({ lead, inner, columns, bias, transposed }, from) => ({
      inputs: arrays(from, [...lead, columns], [...lead, inner], transposed ? [columns, inner] : [inner, columns]),
      run: withTensors(at => {
        const { dx, dWeight, dBias } = linearPullback(at(0), at(1), at(2), bias, transposed)
        return present(dx, dWeight, dBias)
      }),
    }),
  ),
]

const norms: readonly KernelCase[] = [
  kernelCase('softmax', rowed, (s, from) => ({
    inputs: arrays(from, s),
    run: withTensors(at => [softmax(at(0))]),
    fused: ['softmax'],
  })),
  kernelCase('softmaxPullback', rowed, (s, from) => ({
    inputs: arrays(from, s, s),
    run: withTensors(at => [softmaxPullback(at(0), softmax(at(1)))]),
    fused: ['softmax', 'softmaxPullback'],
  })),
  kernelCase('layerNorm', fc.tuple(rowed, fc.boolean(), fc.boolean()), ([s, weight, bias], from) => ({
    inputs: arrays(from, s, s.slice(-1), s.slice(-1)),
    run: withTensors(at => [layerNorm(at(0), weight ? at(1) : null, bias ? at(2) : null, 1e-5).value]),
    fused: ['layerNorm'],
  })),
  kernelCase('layerNormPullback', fc.tuple(rowed, fc.boolean(), fc.boolean()), ([s, weight, bias], from) => ({
    inputs: arrays(from, s, s, s.slice(-1), s.slice(-1)),
    run: withTensors(at => {
      const w = weight ? at(2) : null
      const statistics = layerNorm(at(1), w, bias ? at(3) : null, 1e-5)
      const { dx, dWeight, dBias } = layerNormPullback(at(0), at(1), w, bias, statistics)
      return present(dx, dWeight, dBias)
    }),
    fused: ['layerNorm', 'layerNormPullback'],
  })),
  kernelCase('rmsNorm', fc.tuple(rowed, fc.boolean()), ([s, weight], from) => ({
    inputs: arrays(from, s, s.slice(-1)),
    run: withTensors(at => [rmsNorm(at(0), weight ? at(1) : null, 1e-5).value]),
    fused: ['rmsNorm'],
  })),
  kernelCase('rmsNormPullback', fc.tuple(rowed, fc.boolean()), ([s, weight], from) => ({
    inputs: arrays(from, s, s, s.slice(-1)),
    run: withTensors(at => {
      const w = weight ? at(2) : null
      const { dx, dWeight } = rmsNormPullback(at(0), at(1), w, rmsNorm(at(1), w, 1e-5).deviation)
      return present(dx, dWeight)
    }),
    fused: ['rmsNorm', 'rmsNormPullback'],
  })),
  kernelCase(
    'rotary',
    fc.record({
      batch: length(3),
      time: length(6),
      heads: positiveLength(3),
      half: positiveLength(9),
      inverse: fc.boolean(),
    }),
    ({ batch, time, heads, half, inverse }, from) => ({
      inputs: arrays(from, [batch, time, heads * 2 * half], [time, half], [time, half]),
      run: withTensors(at => [rotary(at(0), at(1), at(2), heads, inverse)]),
      fused: ['rotary'],
    }),
  ),
]

export interface AttentionLengths {
  readonly batch: number
  readonly queries: number
  /** Keys before the queries' own, and positions of the cache behind all keys. */
  readonly past: number
  readonly free: number
  readonly keyValueHeads: number
  readonly group: number
  readonly headWidth: number
  readonly causal: boolean
}

/** Attention and its pullback at sizes of these lengths. */
export const attentionCases = (lengths: fc.Arbitrary<AttentionLengths>): readonly KernelCase[] => {
  const all = lengths.map(one => ({ ...one, heads: one.keyValueHeads * one.group, keys: one.queries + one.past }))
  return [
    kernelCase('attention', all, (sizes, from) => {
      const { batch, queries, keys, free, heads, keyValueHeads, headWidth } = sizes
      const cache = [batch, keys + free, keyValueHeads * headWidth]
      return {
        inputs: arrays(from, [batch, queries, heads * headWidth], cache, cache),
        run: withTensors(at => [attention(at(0), at(1), at(2), sizes).value]),
        fused: ['attention'],
      }
    }),
    kernelCase('attentionPullback', all, (sizes, from) => {
      const { batch, queries, keys, free, heads, keyValueHeads, headWidth } = sizes
      const query = [batch, queries, heads * headWidth]
      const cache = [batch, keys + free, keyValueHeads * headWidth]
      return {
        inputs: arrays(from, query, query, cache, cache),
        run: withTensors(at => {
          const attended = attention(at(1), at(2), at(3), sizes)
          const { dQuery, dKey, dValue } = attentionPullback(at(0), at(1), at(2), at(3), attended, sizes)
          return [dQuery, dKey, dValue]
        }),
        fused: ['attention', 'attentionPullback'],
      }
    }),
    kernelCase('jointAttention', all, (sizes, from) => {
      const { batch, queries, heads, keyValueHeads, headWidth, causal } = sizes
      return {
        inputs: arrays(from, [batch, queries, (heads + 2 * keyValueHeads) * headWidth]),
        run: withTensors(at => [jointAttention(at(0), { heads, keyValueHeads, causal }).value]),
        fused: ['jointAttention'],
      }
    }),
    kernelCase('jointAttentionPullback', all, (sizes, from) => {
      const { batch, queries, heads, keyValueHeads, headWidth, causal } = sizes
      const options = { heads, keyValueHeads, causal }
      const joint = [batch, queries, (heads + 2 * keyValueHeads) * headWidth]
      return {
        inputs: arrays(from, [batch, queries, heads * headWidth], joint),
        run: withTensors(at => [jointAttentionPullback(at(0), at(1), jointAttention(at(1), options), options)]),
        fused: ['jointAttention', 'jointAttentionPullback'],
      }
    }),
  ]
}

const attentionLengths = fc.record({
  batch: length(3),
  queries: length(9),
  past: length(6),
  free: length(3),
  keyValueHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 3 }),
  headWidth: positiveLength(33),
  causal: fc.boolean(),
})

/** A list of tensors, as an optimizer gets it. */
const shapes = fc.array(shape({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 })

const losses: readonly KernelCase[] = [
  ...attentionCases(attentionLengths),
  kernelCase(
    'crossEntropy, crossEntropyPullback',
    fc.record({
      rows: length(6),
      columns: positiveLength(70),
      targets: fc.array(fc.integer({ min: -1, max: 1000 }), { minLength: 6, maxLength: 6 }),
      labelSmoothing: fc.constantFrom(0, 0.125),
    }),
    ({ rows, columns, targets, labelSmoothing }, from) => {
      const ids = tokens(targets.slice(0, rows).map(id => (id < 0 ? -100 : id % columns)))
      const sizesOf = (logits: Tensor) => crossEntropySizes(logits, ids, { labelSmoothing })
      return {
        inputs: arrays(from, [rows, columns], [rows]),
        run: withTensors(at => {
          const sizes = sizesOf(at(0))
          const { losses: values, logSumExp } = crossEntropy(at(0), sizes)
          return [values, crossEntropyPullback(at(1), at(0), logSumExp, sizes)]
        }),
        fused: ['crossEntropy', 'crossEntropyPullback'],
        // The pullback may form the softmax as exp(x - logSumExp) of the saved statistic, itself rounded to f32.
        bounded: withTensors(at => {
          const sizes = sizesOf(at(0))
          const { losses: values, logSumExp } = crossEntropy(at(0), sizes)
          const share = exp(subtract(at(0), logSumExp.share([rows, 1])))
          const rounded = crossEntropyPullback(at(1), at(0), logSumExp, sizes)
          const weight = multiply(share, at(1).share([rows, 1]))
          return [values, add(rounded, subtract(weight, weight))]
        }),
      }
    },
  ),
  kernelCase('adamW', fc.tuple(shapes, fc.integer({ min: 1, max: 100 })), ([list, step], from) => {
    const numbersOf = { rate: 2 ** -10, beta1: 0.875, beta2: 0.9375, epsilon: 2 ** -20 }
    const correction1 = Math.fround(1 - numbersOf.beta1 ** step)
    const correction2 = Math.fround(1 - numbersOf.beta2 ** step)
    return {
      // Of each tensor the gradient, the parameter and both moments.
      inputs: arrays(from, ...list.flatMap(s => [s, s, s, s])).map((x, i) => (i % 4 === 3 ? away(x) : x)),
      run: withTensors(at =>
        adamW(
          list.map((_, i) => ({
            gradient: at(4 * i),
            parameter: at(4 * i + 1),
            firstMoment: at(4 * i + 2),
            secondMoment: at(4 * i + 3),
            weightDecay: i % 2 === 0 ? 0.125 : 0,
          })),
          { ...numbersOf, correction1, correction2 },
        ).flatMap(({ update, firstMoment, secondMoment }) => [update, firstMoment, secondMoment]),
      ),
      fused: ['adamW'],
    }
  }),
  kernelCase('sumOfSquares', shapes, (list, from) => ({
    inputs: arrays(from, ...list),
    run: withTensors(at => [sumOfSquares(list.map((_, i) => at(i)))]),
    fused: ['sumOfSquares', 'dot'],
  })),
  kernelCase('scaleEach', shapes, (list, from) => ({
    inputs: arrays(from, [], ...list),
    run: withTensors(at =>
      scaleEach(
        list.map((_, i) => at(i + 1)),
        at(0).share<readonly []>([]),
      ),
    ),
    fused: ['scaleEach'],
  })),
  kernelCase('accumulateEach', shapes, (list, from) => ({
    inputs: arrays(from, ...list, ...list),
    run: withTensors(at =>
      accumulateEach(
        list.map((_, i) => at(i)),
        list.map((_, i) => at(list.length + i)),
      ),
    ),
    fused: ['accumulateEach'],
  })),
]

const cellShapes = (shape: readonly number[], count: number) => ({
  hidden: shape,
  gates: shape.with(-1, count * (shape.at(-1) ?? 0)),
})

/** Sizes of a convolution, never by tiles: each axis of the plane is as long as a few steps of its window and what they leave. */
const convolutionCase = fc
  .record({
    batch: length(3),
    groups: fc.constantFrom(1, 1, 2),
    inputs: positiveLength(3),
    outputs: positiveLength(7),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.tuple(fc.nat(2), fc.nat(3)),
    dilation: fc.tuple(fc.constantFrom(1, 1, 2), fc.constantFrom(1, 1, 3)),
    height: positiveLength(9),
    width: positiveLength(20),
  })
  .map(({ batch, groups, inputs, outputs, kernel, height, width, ...window }) => {
    const { stride, padding, dilation } = window
    const reach = (axis: 0 | 1): number => Math.max(1, dilation[axis] * (kernel[axis] - 1) + 1 - 2 * padding[axis])
    const x = [batch, groups * inputs, Math.max(height, reach(0)), Math.max(width, reach(1))]
    const { outHeight, outWidth } = windowOf('case', x, kernel, window)
    const options: ConvolutionOptions = { stride, padding, dilation, groups }
    const [weight, y] = [
      [groups * outputs, inputs, ...kernel],
      [batch, groups * outputs, outHeight, outWidth],
    ]
    return { x, weight, y, kernel, options, plane: [x[2] ?? 0, x[3] ?? 0] as const }
  })

/** Convolutions that an engine may take by tiles: windows of 3 x 3 over channels in fours. */
const tilesCase = fc.record({
  batch: length(2),
  groups: fc.constantFrom(1, 1, 2),
  inputs: fc.constantFrom(4, 20),
  outputs: fc.constantFrom(4, 20),
  padding: fc.tuple(fc.nat(2), fc.nat(2)),
  height: fc.integer({ min: 3, max: 9 }),
  width: fc.integer({ min: 3, max: 11 }),
})

/** The same with a stride of 2. */
const halvedCase = fc.record({
  batch: length(2),
  groups: fc.constantFrom(1, 1, 2),
  inputs: fc.constantFrom(8, 24),
  outputs: fc.constantFrom(4, 20),
  height: fc.integer({ min: 5, max: 17 }),
  width: fc.integer({ min: 5, max: 19 }),
})

const poolCase = fc
  .record({
    lead: fc.tuple(length(3), positiveLength(3)),
    window: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.option(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), { nil: undefined }),
    padded: fc.boolean(),
    // Windows side by side that fill the planes: poolings by whole factors.
    filled: fc.boolean(),
    height: positiveLength(9),
    width: positiveLength(20),
  })
  .map(({ lead, window, filled, height, width, ...rest }) => {
    const { stride = window, padded } = filled ? { padded: false } : rest
    const padding = padded ? ([Math.floor(window[0] / 2), Math.floor(window[1] / 2)] as const) : 0
    const plane = filled ? [height * window[0], width * window[1]] : [height, width]
    const x = [...lead, Math.max(plane[0] ?? 0, window[0]), Math.max(plane[1] ?? 0, window[1])]
    const { outHeight, outWidth } = windowOf('case', x, window, { stride, padding })
    return { x, y: [...lead, outHeight, outWidth], options: { window, stride, padding } }
  })

const grouped = fc.record({
  batch: length(3),
  groups: positiveLength(3),
  channels: positiveLength(3),
  plane: fc.array(positiveLength(9), { maxLength: 2 }),
})

const planes: readonly KernelCase[] = [
  kernelCase('groupNorm', grouped, ({ batch, groups, channels, plane }, from) => {
    const all = [groups * channels]
    return {
      inputs: arrays(from, [batch, ...all, ...plane], all, all),
      run: withTensors(at => [groupNorm(at(0), groups, at(1), at(2), 1e-5).value]),
      fused: ['groupNorm'],
    }
  }),
  kernelCase('groupNormPullback', grouped, ({ batch, groups, channels, plane }, from) => {
    const all = [groups * channels]
    const x = [batch, ...all, ...plane]
    return {
      inputs: arrays(from, x, x, all, all),
      run: withTensors(at => {
        const statistics = groupNorm(at(1), groups, at(2), at(3), 1e-5)
        const { dx, dWeight, dBias } = groupNormPullback(at(0), at(1), groups, at(2), statistics)
        return present(dx, dWeight, dBias)
      }),
      fused: ['groupNorm', 'groupNormPullback'],
    }
  }),
  kernelCase('convolution', fc.tuple(convolutionCase, fc.boolean()), ([{ x, weight, y, options }, bias], from) => ({
    inputs: arrays(from, x, weight, y.slice(1, 2)),
    run: withTensors(at => [convolution(at(0), at(1), bias ? at(2) : null, options)]),
    fused: ['convolution'],
    // γ_{k+1} (|x| |W| + |b|): the bias may be what the sum starts from, an input of its own that is 1 everywhere.
    bounded: withTensors(at => {
      const { groups = 1 } = options
      const [batch = 0, outputs = 0] = y
      const [, inputs = 0, kernelHeight = 0, kernelWidth = 0] = weight
      const w = windowOf('bound', x, [kernelHeight, kernelWidth], options)
      const [window, positions] = [kernelHeight * kernelWidth, w.outHeight * w.outWidth]
      const seen = permute(
        patches(at(0), elementsSeen(w), window).share([window, positions, batch, groups, inputs]),
        [3, 2, 1, 4, 0],
      )
      const rows = seen.share([groups, batch * positions, inputs * window])
      const wide = concat([rows, full(rows.engine, [groups, batch * positions, 1], 1)], 2)
      const row = (bias ? at(2) : scale(at(2), 0)).share([groups, outputs / groups, 1])
      const tall = concat([at(1).share([groups, outputs / groups, inputs * window]), row], 2)
      const product = matmulTransposed(wide, tall, { transposeY: true })
      return [permute(product.share([groups, batch, positions, outputs / groups]), [1, 0, 3, 2]).share(y)]
    }),
  })),
  kernelCase('convolutionInputGradient', convolutionCase, ({ weight, y, plane, options }, from) => ({
    inputs: arrays(from, y, weight),
    run: withTensors(at => [convolutionInputGradient(at(0), at(1), plane, options)]),
    fused: ['convolutionInputGradient'],
  })),
  kernelCase('convolutionWeightGradient', convolutionCase, ({ x, y, kernel, options }, from) => ({
    inputs: arrays(from, y, x),
    run: withTensors(at => [convolutionWeightGradient(at(0), at(1), kernel, options)]),
    fused: ['convolutionWeightGradient'],
  })),
  kernelCase(
    'convolution by tiles',
    fc.tuple(tilesCase, fc.boolean()),
    ([{ batch, groups, inputs, outputs, height, width, padding }, bias], from) => {
      const options = { groups, padding }
      const all = groups * outputs
      return {
        inputs: arrays(from, [batch, groups * inputs, height, width], [all, inputs, 3, 3], [all]),
        run: withTensors(at => [convolution(at(0), at(1), bias ? at(2) : null, options)]),
        fused: ['convolution'],
        bounded: withTensors(at => [winogradConvolution(at(0), at(1), bias ? at(2) : null, options)]),
      }
    },
  ),
  kernelCase(
    'convolutionInputGradient by tiles',
    tilesCase,
    ({ batch, groups, inputs, outputs, height, width, padding }, from) => {
      const options = { groups, padding }
      const all = groups * outputs
      const plane = [height, width] as const
      const y = [batch, all, height + 2 * padding[0] - 2, width + 2 * padding[1] - 2]
      return {
        inputs: arrays(from, y, [all, inputs, 3, 3]),
        run: withTensors(at => [convolutionInputGradient(at(0), at(1), plane, options)]),
        fused: ['convolutionInputGradient'],
        bounded: withTensors(at => [winogradInputGradient(at(0), at(1), options)]),
      }
    },
  ),
  kernelCase(
    'convolutionWeightGradient by tiles',
    tilesCase,
    ({ batch, groups, inputs, outputs, height, width, padding }, from) => {
      const options = { groups, padding }
      const y = [batch, groups * outputs, height + 2 * padding[0] - 2, width + 2 * padding[1] - 2]
      return {
        inputs: arrays(from, y, [batch, groups * inputs, height, width]),
        run: withTensors(at => [convolutionWeightGradient(at(0), at(1), [3, 3], options)]),
        fused: ['convolutionWeightGradient'],
        bounded: withTensors(at => [winogradWeightGradient(at(0), at(1), options)]),
      }
    },
  ),
  kernelCase(
    'convolution by tiles, stride 2',
    fc.tuple(halvedCase, fc.boolean()),
    ([{ batch, groups, inputs, outputs, height, width }, bias], from) => {
      const all = groups * outputs
      return {
        inputs: arrays(from, [batch, groups * inputs, height, width], [all, inputs, 3, 3], [all]),
        run: withTensors(at => [convolution(at(0), at(1), bias ? at(2) : null, { groups, padding: 1, stride: 2 })]),
        fused: ['convolution'],
        bounded: withTensors(at => [halvedConvolution(at(0), at(1), bias ? at(2) : null, groups)]),
      }
    },
  ),
  kernelCase(
    'convolutionInputGradient by tiles, stride 2',
    halvedCase,
    ({ batch, groups, inputs, outputs, height, width }, from) => {
      const all = groups * outputs
      const plane = [height, width] as const
      return {
        inputs: arrays(from, [batch, all, Math.ceil(height / 2), Math.ceil(width / 2)], [all, inputs, 3, 3]),
        run: withTensors(at => [convolutionInputGradient(at(0), at(1), plane, { groups, padding: 1, stride: 2 })]),
        fused: ['convolutionInputGradient'],
        bounded: withTensors(at => [halvedInputGradient(at(0), at(1), plane, groups)]),
      }
    },
  ),
  kernelCase(
    'convolutionWeightGradient by tiles, stride 2',
    halvedCase,
    ({ batch, groups, inputs, outputs, height, width }, from) => {
      const y = [batch, groups * outputs, Math.ceil(height / 2), Math.ceil(width / 2)]
      return {
        inputs: arrays(from, y, [batch, groups * inputs, height, width]),
        run: withTensors(at => [convolutionWeightGradient(at(0), at(1), [3, 3], { groups, padding: 1, stride: 2 })]),
        fused: ['convolutionWeightGradient'],
        bounded: withTensors(at => [halvedWeightGradient(at(0), at(1), groups)]),
      }
    },
  ),
  kernelCase('maxPool, maxPoolPullback', fc.tuple(poolCase, fc.boolean()), ([{ x, y, options }, ties], from) => {
    const [first, second] = [numbers(from, 0, x), numbers(from, 1, y)]
    // Equal numbers in one window: only the first of them counts.
    const tied = { shape: x, values: first.values.map(v => Math.sign(v)) }
    return {
      inputs: [ties ? tied : first, second],
      run: withTensors(at => [maxPool(at(0), options), maxPoolPullback(at(1), at(0), options)]),
      fused: ['maxPool', 'maxPoolPullback'],
    }
  }),
  kernelCase('sumPool, spread', poolCase, ({ x, y, options }, from) => ({
    inputs: arrays(from, x, y),
    run: withTensors(at => [
      sumPool(at(0), from.deviation / 3, options),
      spread(at(1), from.deviation / 3, [x[2] ?? 0, x[3] ?? 0], options),
    ]),
    fused: ['sumPool', 'spread'],
  })),
]

const cells: readonly KernelCase[] = [
  kernelCase('lstmCell', rowed, (s, from) => {
    const { hidden, gates } = cellShapes(s, 4)
    return {
      inputs: arrays(from, gates, hidden),
      run: withTensors(at => {
        const next = lstmCell(at(0), at(1))
        return [next.hidden, next.cell]
      }),
      fused: ['lstmCell'],
    }
  }),
  kernelCase('lstmCellPullback', rowed, (s, from) => {
    const { hidden, gates } = cellShapes(s, 4)
    return {
      inputs: arrays(from, hidden, hidden, gates, hidden),
      run: withTensors(at => {
        const { dGates, dCell } = lstmCellPullback(at(0), at(1), at(2), at(3))
        return [dGates, dCell]
      }),
      fused: ['lstmCellPullback'],
    }
  }),
  kernelCase('gruCell', rowed, (s, from) => {
    const { hidden, gates } = cellShapes(s, 3)
    return {
      inputs: arrays(from, gates, gates, hidden),
      run: withTensors(at => [gruCell(at(0), at(1), at(2))]),
      fused: ['gruCell'],
    }
  }),
  kernelCase('gruCellPullback', rowed, (s, from) => {
    const { hidden, gates } = cellShapes(s, 3)
    return {
      inputs: arrays(from, hidden, gates, gates, hidden),
      run: withTensors(at => {
        const { dFromInput, dFromHidden, dHidden } = gruCellPullback(at(0), at(1), at(2), at(3))
        return [dFromInput, dFromHidden, dHidden]
      }),
      fused: ['gruCellPullback'],
    }
  }),
]

export const kernelCases: readonly KernelCase[] = [
  ...elementwise,
  ...reductions,
  ...moves,
  ...products,
  ...norms,
  ...planes,
  ...cells,
  ...losses,
]
