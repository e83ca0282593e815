/** The operators of variational autoencoders: D3, D4, D5 and what X9 says of the divergence. */
import fc from 'fast-check'
import test from 'tape'
import type { Planes } from '../../operators/convolution/planes.ts'
import { gaussianKl } from '../../operators/latent/gaussianKl.ts'
import { halvesOfChannels } from '../../operators/latent/halvesOfChannels.ts'
import { reparametrize } from '../../operators/latent/reparametrize.ts'
import { type Context, context } from '../../src/context.ts'
import { ShapeError } from '../../src/errors.ts'
import type { Operator } from '../../src/operator.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { within } from '../laws/check.ts'
import { X9 } from '../laws/diffusion.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, numbers, random, seeds, sum } from './support.ts'

const planes = (shape: readonly number[], seed: number, factor = 1): Planes => random(shape, seed, factor)

const laws = <A, B>(name: string, op: Operator<A, B>, input: A, c: Context = context({})): void => {
  test(`D3, D4: ${name}`, t => {
    within(t, 'D4 pullback = derivative', finiteDifference(op, c, input))
    within(t, 'D3 the pullback is linear and may be called twice', pullbackTwice(op, c, input))
    t.end()
  })
}

const gaussian = [planes([2, 3, 2, 2], 1), planes([2, 3, 2, 2], 2)] as const
laws('KL of a Gaussian', gaussianKl, gaussian)
laws('halves of channels', halvesOfChannels, planes([2, 4, 3, 2], 3))
laws('reparametrization', reparametrize, gaussian, context({}, { key: key(5) }))

test('D5: halves of channels join again', t => {
  scope(() => {
    const x = planes([2, 4, 3, 2], 3)
    const { value, pullback } = halvesOfChannels(context({}), x)
    t.deepEqual(numbers(pullback(value)[1]), numbers(x), 'the adjoint of a permutation is its inverse')
    t.throws(() => halvesOfChannels(context({}), planes([1, 3, 1, 1], 1)), ShapeError)
  })
  t.end()
})

const divergence = (mean: Planes, logVariance: Planes): number =>
  scope(() => numbers(gaussianKl(context({}), [mean, logVariance]).value)[0] ?? Number.NaN)
const factors = fc.record({
  seed: seeds,
  mean: fc.double({ min: 1e-3, max: 3, noNaN: true }),
  spread: fc.double({ min: 1e-3, max: 3, noNaN: true }),
})
const at = (seed: number, factor: number): Planes => planes([2, 1, 2, 2], seed, factor)

test('X9 the divergence of a Gaussian from N(0, 1)', t => {
  holds(
    t,
    'X9 positive where mean or spread is another',
    fc.property(
      factors,
      ({ seed, mean, spread }) =>
        X9.diverges(divergence(at(seed, mean), at(seed + 1, 0)), false) &&
        X9.diverges(divergence(at(seed, 0), at(seed + 1, spread)), false) &&
        X9.diverges(divergence(at(seed, mean), at(seed + 1, spread)), false),
    ),
  )
  t.ok(X9.diverges(divergence(at(1, 0), at(1, 0)), true), 'X9 zero at N(0, 1)')
  breaks(
    t,
    'without the entropy of the Gaussian',
    fc.property(factors, ({ seed, spread }) =>
      X9.diverges(divergence(at(seed, 0), at(seed, spread)) + sum(numbers(at(seed, spread))) / 4, false),
    ),
  )
  t.ok(close([divergence(at(1, 2), at(2, 0.5))], [closedForm(at(1, 2), at(2, 0.5))]), 'the closed form in f64')
  t.end()
})

const closedForm = (mean: Planes, logVariance: Planes): number => {
  const variances = numbers(logVariance)
  return sum(numbers(mean).map((m, i) => m ** 2 + Math.exp(variances[i] ?? 0) - 1 - (variances[i] ?? 0))) / 2 / 2
}

test('reparametrization draws N(mean, variance), the same for a key', t => {
  scope(() => {
    const shape = [1, 1, 40, 50]
    const mean = random<readonly ['batch', 'channels', 'height', 'width']>(shape, 1, 0)
    const deviation = 0.3
    const logVariance: Planes = tensor(engine, shape, new Float64Array(2000).fill(2 * Math.log(deviation)))
    const draw = (seed: number) => numbers(reparametrize(context({}, { key: key(seed) }), [mean, logVariance]).value)
    const x = draw(1)
    const variance = sum(x.map(value => value ** 2)) / 2000
    t.ok(Math.abs(variance / deviation ** 2 - 1) < 4 * Math.sqrt(2 / 2000), 'its variance, within four standard errors')
    t.deepEqual(draw(1), x)
    t.notDeepEqual(draw(2), x, 'control: another key')
  })
  t.end()
})
