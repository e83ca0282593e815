/** D3-D5 for convolutions, pools, upsampling, patches and the norms over planes; T13; N3. On the reference. */
import fc from 'fast-check'
import test from 'tape'
import { convolution2d } from '../../../operators/convolution/convolution2d.ts'
import { patchify, unpatchify } from '../../../operators/convolution/patchify.ts'
import type { Planes } from '../../../operators/convolution/planes.ts'
import { averagePool2d, globalAveragePool, maxPool2d } from '../../../operators/convolution/pool2d.ts'
import { transposedConvolution2d } from '../../../operators/convolution/transposedConvolution2d.ts'
import { upsampleBilinear, upsampleNearest } from '../../../operators/convolution/upsample.ts'
import { linear } from '../../../operators/linear.ts'
import { batchNorm } from '../../../operators/norm/batchNorm.ts'
import { groupNorm } from '../../../operators/norm/groupNorm.ts'
import { layerNorm } from '../../../operators/norm/layerNorm.ts'
import { context, type Named } from '../../../src/context.ts'
import { permute } from '../../../src/kernel/permute.ts'
import { key, normal } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { sizeOf, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { within } from '../../laws/check.ts'
import { adjoint, type LinearMap, linearity } from '../../laws/linear.ts'
import { finiteDifference, pullbackTwice } from '../../laws/operator.ts'
import { breaks, holds } from '../../property.ts'
import { close, engine, numbers, random, same, seeds } from '../support.ts'

const name = 'op'
const x = random<readonly ['batch', 'channels', 'height', 'width']>([2, 4, 5, 6], 1)
const given = (...shapes: (readonly number[])[]): Named =>
  Object.fromEntries(shapes.map((shape, i) => [`op.${i === 0 ? 'weight' : 'bias'}`, random(shape, 2 + i)]))

/** Numbers of all sizes, no two close: away from the kinks of a maximum. */
const distinct = (shape: readonly number[]): Planes =>
  tensor(
    engine,
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(7919 * i) * 3 + i / 100),
  )

const running = { 'op.running_mean': random([4], 8), 'op.running_var': tensor(engine, [4], [0.5, 1, 2, 3]) }

const cases = [
  ['convolution', convolution2d({ name, outputs: 3, kernel: 3, padding: 1 }), context(given([3, 4, 3, 3], [3]))],
  [
    'convolution of stride 2 in groups',
    convolution2d({ name, outputs: 6, kernel: [3, 2], stride: 2, padding: [1, 0], groups: 2 }),
    context(given([6, 2, 3, 2], [6])),
  ],
  [
    'dilated convolution without bias',
    convolution2d({ name, outputs: 2, kernel: 2, dilation: [3, 2], padding: 2, bias: false }),
    context(given([2, 4, 2, 2])),
  ],
  [
    'transposed convolution',
    transposedConvolution2d({ name, outputs: 3, kernel: 4, stride: 2, padding: 1 }),
    context(given([4, 3, 4, 4], [3])),
  ],
  [
    'transposed convolution in groups with output padding',
    transposedConvolution2d({ name, outputs: 4, kernel: 3, stride: [2, 3], outputPadding: [1, 2], groups: 2 }),
    context(given([4, 2, 3, 3], [4])),
  ],
  ['average pool', averagePool2d({ window: [2, 3], stride: 2, padding: 1 }), context({})],
  ['global average pool', globalAveragePool, context({})],
  ['nearest upsampling', upsampleNearest([2, 3]), context({})],
  ['bilinear upsampling', upsampleBilinear(2), context({})],
  ['patchify', patchify([5, 2]), context({})],
  ['group norm', groupNorm({ name, groups: 2 }), context(given([4], [4]))],
  [
    'layer norm over (C, H, W)',
    layerNorm({ name, axes: 3, bias: true, epsilon: 1e-5 }),
    context(given([4, 5, 6], [4, 5, 6])),
  ],
  ['batch norm in training', batchNorm({ name }), context(given([4], [4]), { train: true })],
  ['batch norm in inference', batchNorm({ name }), context(given([4], [4]), { state: running })],
] as const

test('D3, D4 convolutions, pools and norms over planes', t => {
  for (const [what, op, c] of cases) {
    within(t, `D4 ${what}`, finiteDifference<Planes, Tensor>(op, c, x))
    within(t, `D3 ${what}`, pullbackTwice<Planes, Tensor>(op, c, x))
  }
  const pool = maxPool2d({ window: 3, stride: 2, padding: 1 })
  within(t, 'D4 max pool', finiteDifference(pool, context({}), distinct([2, 3, 5, 6])))
  within(t, 'D3 max pool', pullbackTwice(pool, context({}), distinct([2, 3, 5, 6])))
  const back = unpatchify([5, 2], [5, 6])
  within(t, 'D4 unpatchify', finiteDifference(back, context({}), random([2, 3, 40], 3)))
  t.end()
})

const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.constantFrom(2, 4),
  outputs: fc.constantFrom(2, 6),
  groups: fc.constantFrom(1, 2),
  kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })),
  stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
  padding: fc.tuple(fc.nat(2), fc.nat(1)),
  dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  positions: fc.tuple(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 2, max: 4 })),
  seed: seeds,
})
type Sizes = typeof sizes extends fc.Arbitrary<infer S> ? S : never

/** The convolution forward, the transposed convolution of the same weight back: a bug in either breaks it. */
const convolutionPair = ({ positions, seed, channels, outputs, batch, ...window }: Sizes, spoil = 0): LinearMap => {
  const { kernel, stride, padding, dilation, groups } = window
  const weight = normal(key(seed), (outputs * channels * kernel[0] * kernel[1]) / groups)
  const off = Float64Array.from(weight, (w, i) => (i === 0 ? w + spoil : w))
  const plane = ([0, 1] as const).map(a => (positions[a] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1)
  // Elements that no window reaches, so that one plane of many with these positions is meant.
  const more = ([0, 1] as const).map(a => Math.min(stride[a] - 1, 1))
  const [height, width] = ([0, 1] as const).map(a => Math.max(1, (plane[a] ?? 0) + (more[a] ?? 0) - 2 * padding[a]))
  const lengths = [height ?? 1, width ?? 1] as const
  const out = ([0, 1] as const).map(
    a => Math.floor((lengths[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a]) + 1,
  )
  const rest = ([0, 1] as const).map(
    a => lengths[a] - (((out[a] ?? 1) - 1) * stride[a] - 2 * padding[a] + dilation[a] * (kernel[a] - 1) + 1),
  )
  const shape = [outputs, channels / groups, ...kernel]
  const forward = convolution2d({ name, outputs, bias: false, ...window })
  const outputPadding = [rest[0] ?? 0, rest[1] ?? 0] as const
  const backward = transposedConvolution2d({ name, outputs: channels, bias: false, outputPadding, ...window })
  return {
    from: [[batch, channels, ...lengths]],
    to: [[batch, outputs, ...out]],
    forward: ([v]) => [forward(context({ 'op.weight': tensor(engine, shape, weight) }), v.share()).value],
    backward: ([v]) => [backward(context({ 'op.weight': tensor(engine, shape, off) }), v.share()).value],
  }
}

test('D5, D6 the adjoint of a convolution is the transposed convolution', t => {
  holds(
    t,
    'D5',
    fc.property(sizes, s => adjoint(engine, convolutionPair(s), key(s.seed)).ratio <= 1),
  )
  holds(
    t,
    'D6',
    fc.property(sizes, s => linearity(engine, convolutionPair(s), key(s.seed)).ratio <= 1),
  )
  breaks(
    t,
    'a weight a thousandth off on the way back',
    fc.property(sizes, s => adjoint(engine, convolutionPair(s, 1e-3), key(s.seed)).ratio <= 1),
  )
  t.end()
})

/** A linear operator and its pullback. */
const pairOf = (
  op: (x: Tensor) => { value: Tensor; pullback: (d: Tensor) => Tensor },
  from: readonly number[],
): LinearMap => ({
  from: [from],
  to: [scope(() => op(random(from, 1)).value.shape)],
  forward: ([v]) => [op(v).value],
  backward: ([d]) => [op(random(from, 1)).pullback(d)],
})

test('D5, T13 pools, upsampling and patches', t => {
  const planes = [2, 3, 4, 6]
  const pairs = {
    'average pool': averagePool2d({ window: [2, 3], stride: 1, padding: 1 }),
    'nearest upsampling': upsampleNearest([3, 2]),
    'bilinear upsampling': upsampleBilinear([2, 3]),
    patchify: patchify([2, 3]),
    'global average pool': globalAveragePool,
  }
  for (const [what, op] of Object.entries(pairs)) {
    const apply = (v: Tensor) => {
      const { value, pullback } = op(context({}), v.share())
      return { value, pullback: (d: Tensor) => pullback(d.share())[1] }
    }
    within(t, `D5 ${what}`, adjoint(engine, pairOf(apply, planes), key(3)))
  }
  holds(
    t,
    'D5 the adjoint of average pooling is nearest upsampling over the window',
    fc.property(seeds, seed =>
      scope(() => {
        const [dy, v] = [
          random<readonly ['batch', 'channels', 'height', 'width']>([2, 3, 2, 2], seed),
          random<readonly ['batch', 'channels', 'height', 'width']>(planes, seed),
        ]
        const pulled = averagePool2d({ window: [2, 3] })(context({}), v).pullback(dy)[1]
        return close(
          numbers(pulled),
          numbers(upsampleNearest([2, 3])(context({}), dy).value).map(a => a / 6),
        )
      }),
    ),
  )
  holds(
    t,
    'T13 unpatchify ∘ patchify = id, bit for bit',
    fc.property(seeds, seed =>
      scope(() => {
        const image = random<readonly ['batch', 'channels', 'height', 'width']>(planes, seed)
        const patches = patchify([2, 3])(context({}), image).value
        return same(numbers(unpatchify([2, 3], [4, 6])(context({}), patches).value), numbers(image))
      }),
    ),
  )
  const embedded = (seed: number, order: readonly number[]) =>
    scope(() => {
      const image = random<readonly ['batch', 'channels', 'height', 'width']>(planes, seed)
      const weight = random([5, 3, 2, 3], seed + 1)
      const conv = convolution2d({ name, outputs: 5, kernel: [2, 3], stride: [2, 3], bias: false })
      const y = conv(context({ 'op.weight': weight }), image).value
      const embed = linear({ name, from: 'width', to: 'width', width: 5, bias: false, layout: 'torch' })
      const flat = permute(weight, order).share([5, 18])
      const z = embed(context({ 'op.weight': flat }), patchify([2, 3])(context({}), image).value).value
      return close(numbers(unpatchify(1, [2, 2])(context({}), z).value), numbers(y))
    })
  holds(
    t,
    'T13 patch embedding = convolution with stride = patch',
    fc.property(seeds, seed => embedded(seed, [0, 1, 2, 3])),
  )
  breaks(
    t,
    'T13 channels behind pixels',
    fc.property(seeds, seed => embedded(seed, [0, 2, 3, 1])),
  )
  t.end()
})

const spread = fc.double({ min: 0.5, max: 3, noNaN: true })

/** A batch through batch norm: values and running statistics. */
const normalized = (v: readonly number[], c: Parameters<typeof context>[1]) =>
  scope(() => {
    const parameters = { 'op.weight': tensor(engine, [2], [1, 1]), 'op.bias': tensor(engine, [2], [0, 0]) }
    const input = tensor<readonly ['batch', 'channels']>(engine, [v.length / 2, 2], v)
    const { value, state } = batchNorm({ name, epsilon: 1e-12 })(context(parameters, c), input)
    return { value: numbers(value), state: Object.fromEntries(Object.entries(state).map(([k, s]) => [k, numbers(s)])) }
  })

test('N3 batch norm', t => {
  const batch = fc.tuple(seeds, spread).map(([seed, by]) => Array.from(normal(key(seed), 12), a => a * by + 1))
  holds(
    t,
    'N3 invariant to an affine map of a feature',
    fc.property(batch, spread, (v, a) =>
      close(
        normalized(
          v.map((b, i) => (i % 2 === 0 ? a * b + 3 : b)),
          { train: true },
        ).value,
        normalized(v, { train: true }).value,
        1e-6,
      ),
    ),
  )
  holds(
    t,
    'N3 without affine it is layer norm of the transpose',
    fc.property(batch, v =>
      scope(() => {
        const columns = [0, 1].flatMap(feature => v.filter((_, i) => i % 2 === feature))
        const rows = tensor<readonly ['row', 'width']>(engine, [2, 6], columns)
        const ones = context({ 'n.weight': tensor(engine, [6], [1, 1, 1, 1, 1, 1]) })
        const other = numbers(layerNorm({ name: 'n', bias: false, epsilon: 1e-12 })(ones, rows).value)
        const found = normalized(v, { train: true }).value
        return close(
          found,
          found.map((_, i) => other[(i % 2) * 6 + Math.floor(i / 2)] ?? Number.NaN),
        )
      }),
    ),
  )
  const first = (v: readonly number[], train: boolean): number[] => normalized(v, { train }).value.slice(0, 2)
  holds(
    t,
    'N3 in inference an example does not depend on its batch',
    fc.property(batch, v => same(first(v, false), first(v.slice(0, 4), false))),
  )
  breaks(
    t,
    'N3 in training it does',
    fc.property(batch, v => same(first(v, true), first(v.slice(0, 4), true))),
  )
  holds(
    t,
    'N3 running statistics go to those of a constant stream, the unbiased variance',
    fc.property(batch, v =>
      scope(() => {
        let state: Named = {}
        const parameters = { 'op.weight': tensor(engine, [2], [1, 1]), 'op.bias': tensor(engine, [2], [0, 0]) }
        const input = tensor<readonly ['batch', 'channels']>(engine, [6, 2], v)
        for (let i = 0; i < 200; i++)
          state = batchNorm({ name })(context(parameters, { train: true, state }), input).state
        const of = (feature: number) => v.filter((_, i) => i % 2 === feature)
        const mean = (a: readonly number[]) => a.reduce((x, y) => x + y, 0) / a.length
        const means = [mean(of(0)), mean(of(1))]
        const variances = means.map((m, f) => (mean(of(f).map(a => (a - m) ** 2)) * 6) / 5)
        const [runningMean, runningVariance] = [state['op.running_mean'], state['op.running_var']]
        if (runningMean === undefined || runningVariance === undefined) return false
        return close(numbers(runningMean), means, 1e-6) && close(numbers(runningVariance), variances, 1e-6)
      }),
    ),
    { numRuns: 5 },
  )
  t.end()
})
