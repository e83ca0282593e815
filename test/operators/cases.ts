/** The operators at a point each: what law K1 holds on every engine (everyEngine.test.ts). Adding an operator is adding a row. */
import {
  accumulate,
  adam,
  adamW,
  adaptiveLayerNorm,
  addChannels,
  applyUpdate,
  averaged,
  averagePool2d,
  batchNorm,
  blockwiseCrossEntropy,
  chain,
  clipByGlobalNorm,
  clipByValue,
  convolution2d,
  crossAttention,
  crossEntropy,
  dropout,
  embedding,
  feedForward,
  gatedSum,
  gaussianKl,
  gelu,
  geluTanh,
  globalAveragePool,
  groupedQuerySelfAttention,
  groupNorm,
  gruCell,
  halves,
  halvesOfChannels,
  joinChannels,
  jointAttention,
  lastPosition,
  layerNorm,
  learnedPositions,
  linear,
  lstmCell,
  maxPool2d,
  momentum,
  multiply,
  type Optimizer,
  paddingMask,
  patchify,
  relu,
  reparametrize,
  rmsNorm,
  rmsprop,
  rotaryPositions,
  scaledDotProductAttention,
  selfAttention,
  sgd,
  sigmoid,
  silu,
  sinusoidalPositions,
  sinusoidalPositions2d,
  slidingWindowMask,
  softmax,
  splitQueryKeyValue,
  stopGradient,
  swiGlu,
  tanh,
  tap,
  thirds,
  transposedConvolution2d,
  unembedding,
  unpatchify,
  upsampleBilinear,
  upsampleNearest,
} from '../../operators/index.ts'
import { type Context, context, type Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { Fused } from '../../src/engine/fused.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { parametersOf } from '../../src/initialize.ts'
import type { Operator } from '../../src/operator.ts'
import { fold, key, normal } from '../../src/random.ts'
import { type Axes, empty, type Shape, sizeOf, type Tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import type { HostArray } from '../arbitraries/tensor.ts'
import type { Problem } from '../laws/kernel.ts'
import { cotangentOf, leaves } from '../laws/operator.ts'

/** Makes the next tensor of an input. */
export type Make = <A extends Axes>(...shape: number[]) => Tensor<A>

/** An engine that has one of these has others, and operators share kernels. */
const fused: readonly (keyof Fused)[] = ['linear', 'softmax', 'activation', 'layerNorm', 'adamW']

/** Deviation of parameters: small enough that scores keep the bounds of softmax tight. */
const PARAMETERS = 0.4

/** Value, states, gradients and the input's cotangent, of f32 inputs and cotangents drawn from N(0, 1). */
export const problemOf = <A, B>(
  label: string,
  operator: Operator<A, B>,
  input: (make: Make) => A,
  more: Partial<Context>,
): Problem => {
  const inputs: HostArray[] = []
  const draw = (shape: Shape, deviation = 1): void => {
    const numbers = normal(fold(key(1), `${label} ${inputs.length}`), sizeOf(shape))
    const values = numbers.map(x => Math.fround(deviation * x))
    inputs.push({ shape, values })
  }
  const shapes = shapeEngine()
  const sample = input(<X extends Axes>(...shape: number[]) => {
    draw(shape)
    return empty<X>(shapes, shape)
  })
  const specs = [...parametersOf(operator, sample)]
  for (const [, { shape }] of specs) draw(shape, PARAMETERS)
  const declared = Object.fromEntries(specs.map(([path, { shape }]) => [path, empty(shapes, shape)]))
  for (const { shape } of leaves(operator(context(declared, more), sample).value)) draw(shape)
  return {
    label,
    inputs,
    fused,
    bounded: run,
    run,
  }
  function run(...tensors: Tensor[]): readonly Tensor[] {
    let taken = 0
    const take = (): Tensor => tensors[taken++]
    const x = input(<X extends Axes>() => take().share<X>())
    const parameters = Object.fromEntries(specs.map(([path]) => [path, take()]))
    const { value, state, pullback } = operator(context(parameters, more), x)
    const [gradients, dx] = pullback(cotangentOf(value, take))
    return [
      ...leaves(value),
      ...Object.values(state),
      ...specs.flatMap(([path]) => gradients[path] ?? []),
      ...leaves(dx),
    ]
  }
}

const SEEN = tokens([3, 0, 3, 5, 1, 2], [2, 3])
const width = 8
const hidden = (make: Make) => make<readonly ['batch', 'time', 'width']>(2, 3, width)
const pair = (make: Make) => [hidden(make), hidden(make)] as const
const triple = (make: Make) => [hidden(make), hidden(make), hidden(make)] as const
const planes = (make: Make) => make<readonly ['batch', 'channels', 'height', 'width']>(2, 4, 5, 6)
const twoPlanes = (make: Make) => [planes(make), planes(make)] as const
const features = (make: Make) => make<readonly ['batch', 'width']>(3, width)
const heads = (make: Make) =>
  [
    make<readonly ['batch', 'time', 'query']>(2, 3, width),
    make<readonly ['batch', 'time', 'key']>(2, 3, width),
    make<readonly ['batch', 'time', 'value']>(2, 3, width),
  ] as const
/** Attention over a mask on the engine of its queries. */
const masked =
  (mask: (engine: Engine) => Tensor): ReturnType<typeof scaledDotProductAttention> =>
  (c, x) =>
    scaledDotProductAttention({ heads: 2, causal: false, mask: mask(x[0].engine) })(c, x)
const logits = (make: Make) => make<readonly ['batch', 'time', 'vocabulary']>(2, 3, 6)
const attending = { width, heads: 2, causal: true, bias: true }
const training: Partial<Context> = { train: true, key: key(5) }
const toLogits = linear({ name: 'head', from: 'width', to: 'vocabulary', width: 6, bias: false, layout: 'torch' })

/** One row an operator. */
export const operatorProblems: readonly Problem[] = [
  problemOf('relu', relu, hidden, {}),
  problemOf('gelu', gelu, hidden, {}),
  problemOf('geluTanh', geluTanh, hidden, {}),
  problemOf('silu', silu, hidden, {}),
  problemOf('tanh', tanh, hidden, {}),
  problemOf('sigmoid', sigmoid, hidden, {}),
  problemOf(
    'addChannels',
    addChannels,
    make => [planes(make), make<readonly ['batch', 'time', 'width']>(2, 1, 4)] as const,
    {},
  ),
  problemOf('crossAttention', crossAttention({ width, heads: 2, bias: true }), pair, {}),
  problemOf('scaledDotProductAttention', scaledDotProductAttention({ heads: 2, causal: false }), heads, {}),
  problemOf(
    'scaledDotProductAttention, a window of two keys',
    masked(engine => slidingWindowMask(engine, 3, 3, 2)),
    heads,
    {},
  ),
  problemOf(
    'scaledDotProductAttention, padding',
    masked(engine =>
      paddingMask(
        engine,
        [
          { start: 0, end: 3 },
          { start: 1, end: 3 },
        ],
        3,
      ),
    ),
    heads,
    {},
  ),
  problemOf('scaledDotProductAttention, causal, cached', scaledDotProductAttention({ heads: 2, causal: true }), heads, {
    capacity: 7,
  }),
  problemOf(
    'jointAttention',
    jointAttention({ heads: 2, keyValueHeads: 1, headWidth: 2, causal: true }),
    make => make<readonly ['batch', 'time', 'qkv']>(2, 3, width),
    {},
  ),
  problemOf('selfAttention', selfAttention(attending), hidden, {}),
  problemOf(
    'groupedQuerySelfAttention',
    groupedQuerySelfAttention({ ...attending, keyValueHeads: 1, headWidth: 4, theta: 10_000 }),
    hidden,
    {},
  ),
  problemOf(
    'splitQueryKeyValue',
    splitQueryKeyValue(4, 2),
    make => make<readonly ['batch', 'time', 'qkv']>(2, 3, width),
    {},
  ),
  problemOf('convolution2d', convolution2d({ name: 'conv', outputs: 6, kernel: 3, padding: 1, groups: 2 }), planes, {}),
  problemOf(
    'convolution2d, strided',
    convolution2d({ name: 'conv', outputs: 3, kernel: [3, 2], stride: 2 }),
    planes,
    {},
  ),
  problemOf(
    'transposedConvolution2d',
    transposedConvolution2d({ name: 'up', outputs: 3, kernel: 3, stride: 2, padding: 1 }),
    planes,
    {},
  ),
  problemOf('patchify', patchify([5, 3]), planes, {}),
  problemOf('unpatchify', unpatchify([2, 2], [2, 6]), hidden, {}),
  problemOf('maxPool2d', maxPool2d({ window: 2 }), planes, {}),
  problemOf('averagePool2d', averagePool2d({ window: 3, stride: 2, padding: 1 }), planes, {}),
  problemOf('globalAveragePool', globalAveragePool, planes, {}),
  problemOf('upsampleNearest', upsampleNearest(2), planes, {}),
  problemOf('upsampleBilinear', upsampleBilinear([2, 3]), planes, {}),
  problemOf('halves', halves, hidden, {}),
  problemOf('thirds', thirds, make => make<readonly ['batch', 'time', 'width']>(2, 3, 9), {}),
  problemOf('dropout, training', dropout('drop', 0.4), hidden, training),
  problemOf('embedding', embedding({ name: 'wte', vocabulary: 6, width }), () => SEEN, {}),
  problemOf('unembedding', unembedding({ name: 'wte', vocabulary: 6 }), hidden, {}),
  problemOf('feedForward', feedForward({ width, hidden: 16, activation: 'gelu', bias: true }), hidden, {}),
  problemOf('swiGlu', swiGlu({ width, hidden: 12 }), hidden, {}),
  problemOf('gatedSum', gatedSum, triple, {}),
  problemOf('joinChannels', joinChannels, twoPlanes, {}),
  problemOf('lastPosition', lastPosition, hidden, {}),
  problemOf('gaussianKl', gaussianKl, twoPlanes, {}),
  problemOf('halvesOfChannels', halvesOfChannels, planes, {}),
  problemOf('reparametrize, training', reparametrize, twoPlanes, training),
  problemOf(
    'linear',
    linear({ name: 'l', from: 'width', to: 'out', width: 5, bias: true, layout: 'conv1d' }),
    hidden,
    {},
  ),
  problemOf(
    'linear, transposed',
    linear({ name: 'l', from: 'width', to: 'out', width: 5, bias: true, layout: 'torch' }),
    hidden,
    {},
  ),
  problemOf('crossEntropy', crossEntropy(SEEN), logits, {}),
  problemOf(
    'crossEntropy, ignored ids and smoothing',
    crossEntropy(SEEN, { ignoreIndex: 3, labelSmoothing: 0.1 }),
    logits,
    {},
  ),
  problemOf('blockwiseCrossEntropy', blockwiseCrossEntropy(toLogits, SEEN, { positions: 2 }), hidden, {}),
  problemOf('multiply', multiply, pair, {}),
  problemOf('adaptiveLayerNorm', adaptiveLayerNorm, triple, {}),
  problemOf('batchNorm, training', batchNorm({ name: 'bn' }), planes, training),
  problemOf('groupNorm', groupNorm({ name: 'gn', groups: 2 }), planes, {}),
  problemOf('layerNorm', layerNorm({ name: 'ln', bias: true, epsilon: 1e-5 }), hidden, {}),
  problemOf('rmsNorm', rmsNorm({ name: 'rms', epsilon: 1e-5 }), hidden, {}),
  problemOf('learnedPositions', learnedPositions({ name: 'wpe', positions: 9, width }), hidden, { offset: 4 }),
  problemOf('rotaryPositions', rotaryPositions({ heads: 2, headWidth: 4, theta: 10_000 }), hidden, { offset: 4 }),
  problemOf('sinusoidalPositions', sinusoidalPositions, hidden, {}),
  problemOf('sinusoidalPositions2d', sinusoidalPositions2d(1), hidden, {}),
  problemOf('gruCell', gruCell({ width }), make => [features(make), features(make)] as const, {}),
  problemOf('lstmCell', lstmCell({ width }), make => [features(make), features(make), features(make)] as const, {}),
  problemOf('softmax', softmax, hidden, {}),
  problemOf('stopGradient', stopGradient, hidden, {}),
  problemOf('tap', tap('seen'), hidden, {}),
]

/** Parameters after each of two steps, from gradients of N(0, 1). */
const optimizerProblem = <S>(label: string, machine: Optimizer<S>): Problem => {
  const shapes = [[3, 5], [7], [3, 5], [7], [3, 5], [7]]
  const run = (w: Tensor, b: Tensor, ...gradients: Tensor[]): readonly Tensor[] => {
    let state = machine.init()
    let parameters: Named = { w: w.share(), b: b.share() }
    const seen: Tensor[] = []
    for (let i = 0; i < gradients.length; i += 2) {
      const [update, next] = machine.step(state, { gradient: { w: gradients[i], b: gradients[i + 1] }, parameters })
      state = next
      parameters = applyUpdate(parameters, update)
      seen.push(...Object.values(parameters).map(x => x.share()))
    }
    return seen
  }
  const inputs = shapes.map((shape, i) => ({
    shape,
    values: normal(fold(key(2), `${label} ${i}`), sizeOf(shape)).map(Math.fround),
  }))
  return { label, inputs, fused, bounded: run, run }
}

export const optimizerProblems: readonly Problem[] = [
  optimizerProblem('sgd', sgd(0.1)),
  optimizerProblem('momentum', momentum({ rate: 0.1, decay: 0.9, nesterov: true })),
  optimizerProblem('rmsprop', rmsprop({ rate: 0.01 })),
  optimizerProblem('adam', adam({ rate: 0.01 })),
  optimizerProblem('adamW', adamW({ rate: 0.01, weightDecay: 0.1 })),
  optimizerProblem('averaged', averaged(sgd(0.1), 0.9)),
  optimizerProblem('accumulate', chain(accumulate(2), sgd(0.1))),
  optimizerProblem('clipByGlobalNorm', chain(clipByGlobalNorm(1), sgd(0.1))),
  optimizerProblem('clipByValue', chain(clipByValue(0.5), sgd(0.1))),
]
