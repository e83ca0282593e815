import fc from 'fast-check'
import test from 'tape'
import { jointAttention } from '../../operators/attention/jointAttention.ts'
import { context } from '../../src/context.ts'
import type { Activation } from '../../src/engine/fused.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { scale } from '../../src/kernel/binary.ts'
import type { Operator } from '../../src/operator.ts'
import { fold, key, normal } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { positiveLength } from '../arbitraries/tensor.ts'
import { type Discrepancy, finiteDifference, pullbackTwice } from '../laws/operator.ts'
import {
  activationOperator,
  attentionOperator,
  crossEntropyOperator,
  layerNormOperator,
  linearOperator,
  matmulOperator,
  rmsNormOperator,
  rotaryOperator,
  softmaxOperator,
} from './operators.ts'

const engine = referenceEngine()
const lengths = fc.tuple(positiveLength(7), positiveLength(7), fc.integer({ min: 2, max: 9 }), fc.nat(10000))

type Make = (...shape: number[]) => Tensor

/** Both laws on an operator at a random point: the worse of the two. */
const both = <A, B>(op: Operator<A, B>, input: A, parameters: Readonly<Record<string, Tensor>> = {}): Discrepancy => {
  const c = context(parameters)
  const [d4, d3] = [finiteDifference(op, c, input), pullbackTwice(op, c, input)]
  return d3.ratio > d4.ratio ? d3 : d4
}

/** Away from the kink of relu by more than the step. */
const offKink = (x: number): number => (Math.abs(x) < 0.01 ? 0.5 : x)

const activations: readonly Activation[] = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid']

type Case = (of: Make, a: number, b: number, n: number, seed: number) => Discrepancy

const attentionCase =
  (heads: number, keyValueHeads: number, causal: boolean, past: number, free: number): Case =>
  (of, a, b, n) => {
    const keys = b + past
    return both(attentionOperator({ heads, keyValueHeads, causal, keys }), [
      of(a, b, heads * n),
      of(a, keys + free, keyValueHeads * n),
      of(a, keys + free, keyValueHeads * n),
    ])
  }

const cases: Readonly<Record<string, Case>> = {
  softmax: (of, a, b, n) => both(softmaxOperator, of(a, b, n)),
  ...Object.fromEntries(
    activations.map((kind): [string, Case] => [kind, (of, a, b, n) => both(activationOperator(kind), of(a, b, n))]),
  ),
  layerNorm: (of, a, b, n) => both(layerNormOperator(true, true), of(a, b, n), { weight: of(n), bias: of(n) }),
  'layerNorm without parameters': (of, a, b, n) => both(layerNormOperator(false, false), of(a, b, n)),
  rmsNorm: (of, a, b, n) => both(rmsNormOperator(true), of(a, b, n), { weight: of(n) }),
  'rmsNorm without parameters': (of, a, b, n) => both(rmsNormOperator(false), of(a, b, n)),
  linear: (of, a, b, n) => both(linearOperator(b, true, false), of(a, 2, n), { weight: of(n, b), bias: of(b) }),
  'linear, transposed': (of, a, b, n) => both(linearOperator(b, false, true), of(a, n), { weight: of(b, n) }),
  matmul: (of, a, b, n) => both(matmulOperator, [of(a, b, n), of(a, n, b)]),
  rotary: (of, a, b, n) => both(rotaryOperator(of(b, n), of(b, n), 2), of(a, b, 4 * n)),
  attention: attentionCase(2, 2, false, 0, 0),
  'attention, causal': attentionCase(2, 2, true, 0, 0),
  'attention, grouped queries': attentionCase(4, 2, true, 0, 0),
  'attention, one key-value head, cached keys': attentionCase(3, 1, true, 2, 2),
  'attention, cross': attentionCase(1, 1, false, 3, 1),
  'jointAttention, grouped queries': (of, a, b, n) =>
    both(
      jointAttention({ heads: 4, keyValueHeads: 2, headWidth: n, causal: true }),
      of(a, b, 8 * n).share<readonly ['batch', 'time', 'qkv']>(),
    ),
  crossEntropy: (of, a, b, n, seed) => both(crossEntropyOperator(tokens(ids(a * b, n, seed, false)), {}), of(a * b, n)),
  'crossEntropy, ignored rows and label smoothing': (of, a, b, n, seed) =>
    both(crossEntropyOperator(tokens(ids(a * b, n, seed, true)), { labelSmoothing: 0.1 }), of(a * b, n)),
}

const ids = (count: number, classes: number, seed: number, ignores: boolean): number[] =>
  Array.from({ length: count }, (_, i) => (ignores && (seed + i) % 3 === 0 ? -100 : (seed * (i + 1)) % classes))

const maker = (seed: number): Make => {
  let count = 0
  return (...shape) => tensor(engine, shape, normal(fold(key(seed), count++), sizeOf(shape)).map(offKink))
}

const law = (run: Case) =>
  fc.property(lengths, ([a, b, n, seed]) => {
    const { ratio, at } = scope(() => run(maker(seed), a, b, n, seed))
    if (ratio > 1) throw new Error(`${ratio.toPrecision(3)} times the tolerance at ${at}`)
  })

test('D3, D4 every pullback kernel is linear and the finite difference of its value, rtol 1e-6', t => {
  for (const [name, run] of Object.entries(cases)) {
    const result = fc.check(law(run), { numRuns: 15 })
    t.notOk(result.failed, result.failed ? `${name}: ${fc.defaultReportMessage(result)}` : name)
  }
  t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
  t.end()
})

test('D4 negative control: a pullback a thousandth too long is found', t => {
  const wrong: Operator<Tensor, Tensor> = (c, x) => {
    const y = softmaxOperator(c, x)
    return {
      ...y,
      pullback: dy => {
        const [gradients, dx] = y.pullback(dy)
        return [gradients, scale(dx, 1.001)]
      },
    }
  }
  t.ok(
    fc.check(
      law((of, a, b, n) => both(wrong, of(a, b, n))),
      { numRuns: 15 },
    ).failed,
  )
  t.end()
})

test('D3 negative control: a pullback that is not linear is found', t => {
  const wrong: Operator<Tensor, Tensor> = (_, x) => ({
    value: x,
    state: {},
    saved: [],
    pullback: dy => [{}, activationOperator('relu')(context({}), dy).value],
  })
  t.ok(
    fc.check(
      law((of, a, b, n) => pullbackTwice(wrong, context({}), of(a, b, n))),
      { numRuns: 15 },
    ).failed,
  )
  t.end()
})
