/** Law K1 for the gpu engine's fused kernels: each against its derivation from primitives, on the reference engine's f64 loops. */
import fc from 'fast-check'
import test from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import type { Activation } from '../../../src/engine/fused.ts'
import { gpuEngine } from '../../../src/engine/gpu/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { activation, activationWithSlope } from '../../../src/kernel/activation.ts'
import { adamW } from '../../../src/kernel/adamW.ts'
import { attention, attentionPullback } from '../../../src/kernel/attention.ts'
import { crossEntropy, crossEntropyPullback, crossEntropySizes } from '../../../src/kernel/crossEntropy.ts'
import { dot } from '../../../src/kernel/dot.ts'
import { dropout } from '../../../src/kernel/dropout.ts'
import { layerNorm, layerNormPullback } from '../../../src/kernel/layerNorm.ts'
import { linear } from '../../../src/kernel/linear.ts'
import { rmsNorm, rmsNormPullback } from '../../../src/kernel/rmsNorm.ts'
import { rotary } from '../../../src/kernel/rotary.ts'
import { softmax, softmaxPullback } from '../../../src/kernel/softmax.ts'
import { key } from '../../../src/random.ts'
import { Region } from '../../../src/tensor/region.ts'
import { read, type Shape, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import { firstBeyond, gamma, holdsAsync, modes } from './support.ts'

type Make = (shape: Shape, phase?: number) => Tensor
type Computation = (make: Make, engine: Engine) => readonly (Tensor | null)[]

const reference = referenceEngine()

/** Numbers that depend on the run, exact in f32. */
const waves =
  (engine: Engine, seed: number): Make =>
  (shape, phase = 0) =>
    tensor(
      engine,
      shape,
      Float32Array.from({ length: shape.reduce((n, axis) => n * axis, 1) }, (_, i) =>
        Math.sin(1 + phase * 7.3 + seed * 0.37 + i * 1.7),
      ),
    )

const results = async (engine: Engine, seed: number, compute: Computation): Promise<readonly HostData[]> => {
  const region = new Region()
  try {
    const tensors = region.run(() => compute(waves(engine, seed), engine))
    return await Promise.all(tensors.flatMap(x => (x === null ? [] : [read(x)])))
  } finally {
    region.close()
  }
}

const size = fc.integer({ min: 1, max: 6 })
const sizes = fc.record({
  a: size,
  b: size,
  c: size,
  seed: fc.integer({ min: 0, max: 99 }),
  flag: fc.boolean(),
  other: fc.boolean(),
})
type Sizes = typeof sizes extends fc.Arbitrary<infer T> ? T : never

const kinds: readonly Activation[] = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid']

const cases: Readonly<Record<string, (s: Sizes) => Computation>> = {
  softmax:
    ({ a, b }) =>
    make => {
      const y = softmax(make([a, b]))
      return [y, softmaxPullback(make([a, b], 1), y)]
    },
  ...Object.fromEntries(
    kinds.map(kind => [
      kind,
      ({ a, b }: Sizes): Computation =>
        make => {
          const { value, slope } = activationWithSlope(kind, make([a, b]))
          return [activation(kind, make([a, b])), value, slope]
        },
    ]),
  ),
  layerNorm:
    ({ a, b, flag, other }) =>
    make => {
      const x = make([a, b + 1])
      const weight = flag ? make([b + 1], 1) : null
      const bias = flag && other ? make([b + 1], 2) : null
      const y = layerNorm(x, weight, bias, 1e-3)
      const { dx, dWeight, dBias } = layerNormPullback(make([a, b + 1], 3), x, weight, bias !== null, y)
      return [y.value, dx, dWeight, dBias]
    },
  rmsNorm:
    ({ a, b, flag }) =>
    make => {
      const x = make([a, b + 1])
      const weight = flag ? make([b + 1], 1) : null
      const { value, deviation } = rmsNorm(x, weight, 1e-3)
      const { dx, dWeight } = rmsNormPullback(make([a, b + 1], 3), x, weight, deviation)
      return [value, dx, dWeight]
    },
  linear:
    ({ a, b, c, flag, other }) =>
    make => [linear(make([a, b]), make(flag ? [c, b] : [b, c], 1), other ? make([c], 2) : null, flag)],
  rotary:
    ({ a, b, c, flag }) =>
    make => [rotary(make([2, a, 2 * b * c]), make([a, b], 1), make([a, b], 2), c, flag)],
  attention:
    ({ a, b, c, flag, other }) =>
    make => {
      const keys = a + b - 1
      const options = { heads: 2 * c, keyValueHeads: other ? c : 2 * c, causal: flag, keys }
      const width = (heads: number): number => heads * 3
      const query = make([2, a, width(options.heads)])
      const [k, v] = [1, 2].map(phase => make([2, keys + 2, width(options.keyValueHeads)], phase))
      const out = attention(query, k, v, options)
      const { dQuery, dKey, dValue } = attentionPullback(make(query.shape, 3), query, k, v, out, options)
      return [out.value, dQuery, dKey, dValue]
    },
  crossEntropy:
    ({ a, b, flag, other, seed }) =>
    make => {
      const logits = make([a, b])
      const targets = tokens(
        Int32Array.from({ length: a }, (_, i) => (other && i % 2 === 1 ? -100 : (i * seed) % b)),
        [a],
      )
      const options = crossEntropySizes(logits, targets, { labelSmoothing: flag ? 0.1 : 0 })
      const { losses, logSumExp } = crossEntropy(logits, options)
      return [losses, crossEntropyPullback(make([a], 1), logits, logSumExp, options)]
    },
  dropout:
    ({ a, b, seed }) =>
    make => [dropout(make([a, b]), key(seed), 0.4)],
  dot:
    ({ a, b, flag }) =>
    make => {
      const shape = flag ? [5000] : [a, b]
      return [dot(make(shape), make(shape, 1))]
    },
  adamW:
    ({ a, b }) =>
    (make, engine) => {
      const positive = tensor(
        engine,
        [a, b],
        Float32Array.from({ length: a * b }, (_, i) => i / 64),
      )
      const numbers = {
        rate: 0.01,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-4,
        correction1: 0.2,
        correction2: 0.3,
      }
      const [gradient, parameter] = [make([a, b], 1), make([a, b], 2)]
      const steps = adamW(
        [{ firstMoment: make([a, b]), secondMoment: positive, gradient, parameter, weightDecay: 0.1 }],
        numbers,
      )
      return steps.flatMap(({ update, firstMoment, secondMoment }) => [update, firstMoment, secondMoment])
    },
}

for (const mode of modes) {
  const engine = gpuEngine({ mode })

  test(`K1 fused kernels of the gpu engine, mode ${mode}`, async t => {
    for (const [name, of] of Object.entries(cases))
      await holdsAsync(
        t,
        `K1 ${name} and its pullback`,
        sizes,
        async s => {
          const expected = await results(reference, s.seed, of(s))
          const found = await results(engine, s.seed, of(s))
          for (const [i, numbers] of expected.entries()) {
            // Sums of terms that cancel are held to the size of the terms, here a few units.
            const scale = Math.max(4, ...Array.from(numbers, Math.abs))
            const wrong = firstBeyond(found[i], numbers, () => gamma(name === 'dot' ? 5000 : 64) * scale)
            if (wrong !== null) return `output ${i} ${wrong}`
          }
          return null
        },
        15,
      )

    const hidden = tensor(engine, [2, 3], [-Infinity, -Infinity, -Infinity, 0, -Infinity, 0])
    t.deepEqual([...(await read(softmax(hidden)))], [0, 0, 0, 0.5, 0, 0.5], 'A4 a row of -infinity gives zeros')
    await engine.destroy()
  })
}
