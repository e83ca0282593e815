import fc from 'fast-check'
import test from 'tape'
import {
  composeProcessors,
  greedy,
  minP,
  type Processor,
  processors,
  repetitionPenalty,
  sample,
  temperature,
  topK,
  topP,
  unchanged,
} from '../../../operators/sampling/index.ts'
import { InputError, NumericError } from '../../../src/errors.ts'
import { applied, G1, G2, ranked, support } from '../../laws/sampling.ts'
import { breaks, holds } from '../../property.ts'

/** With ties and removed tokens, at least one possible. */
const finite = fc.oneof(fc.double({ min: -20, max: 20, noNaN: true }), fc.integer({ min: -3, max: 3 })).map(x => x + 0)
const logits = fc
  .array(fc.oneof({ weight: 9, arbitrary: finite }, { weight: 1, arbitrary: fc.constant(-Infinity) }), {
    minLength: 1,
    maxLength: 40,
  })
  .filter(all => all.some(x => x > -Infinity))
const inputs = logits.chain(all =>
  fc.tuple(fc.constant(all), fc.array(fc.integer({ min: 0, max: all.length - 1 }), { maxLength: 8 })),
)
const ks = fc.integer({ min: 1, max: 45 })
const ps = fc.double({ min: 0.01, max: 1, noNaN: true })
const any: fc.Arbitrary<Processor> = fc.oneof(
  fc.double({ min: 0.1, max: 5, noNaN: true }).map(temperature),
  ks.map(topK),
  ps.map(topP),
  fc.double({ min: 0, max: 0.99, noNaN: true }).map(minP),
  fc.double({ min: 0.5, max: 2, noNaN: true }).map(repetitionPenalty),
)

test(`G1 ${G1.name}`, t => {
  for (const [name, unit] of [
    ['unchanged', unchanged],
    ['composition of none', composeProcessors()],
    ['T = 1', temperature(1)],
    ['k = V', topK(40)],
    ['p = 1', topP(1)],
    ['min-p 0', minP(0)],
    ['penalty 1', repetitionPenalty(1)],
    ['no options', processors({})],
  ] as const)
    holds(
      t,
      name,
      fc.property(inputs, ([x, previous]) => G1.unit(unit, x, previous)),
    )
  holds(
    t,
    'associative',
    fc.property(any, any, any, inputs, (f, g, h, [x, previous]) =>
      G1.associative(f, g, h, composeProcessors, x, previous),
    ),
  )
  breaks(
    t,
    'k = 1 is no unit',
    fc.property(inputs, ([x, previous]) => G1.unit(topK(1), x, previous)),
  )
  const wrong = (f: Processor, g: Processor): Processor => composeProcessors(g, f)
  breaks(
    t,
    'not commutative: composing backwards',
    fc.property(any, any, any, inputs, (f, g, h, [x, previous]) => G1.associative(f, g, h, wrong, x, previous)),
  )
  t.end()
})

test(`G2 ${G2.name}`, t => {
  holds(
    t,
    'top-k keeps exactly the k best, ties by lower id',
    fc.property(logits, ks, (x, k) => G2.ranks(topK(k), x, Math.min(k, support(x).length))),
  )
  holds(
    t,
    'top-k nested',
    fc.property(logits, ks, ks, (x, a, b) => G2.nested(topK(Math.min(a, b)), topK(Math.max(a, b)), x)),
  )
  holds(
    t,
    'top-p is the nucleus',
    fc.property(logits, ps, (x, p) => p === 1 || G2.nucleus(topP(p), x, p)),
  )
  holds(
    t,
    'top-p nested',
    fc.property(logits, ps, ps, (x, a, b) => G2.nested(topP(Math.min(a, b)), topP(Math.max(a, b)), x)),
  )
  holds(
    t,
    'min-p nested, and relative to the best',
    fc.property(logits, ps, ps, (x, a, b) => {
      const [low, high] = [Math.min(a, b) / 2, Math.max(a, b) / 2]
      const max = Math.max(...x)
      const kept = x.flatMap((logit, id) => (logit >= max + Math.log(high) ? [id] : []))
      return G2.nested(minP(high), minP(low), x) && support(applied(minP(high), x)).join() === kept.join()
    }),
  )
  holds(
    t,
    'k = 1 is greedy',
    fc.property(logits, ps, (x, u) => sample(applied1(topK(1), x), u === 1 ? 0 : u) === greedy(Float64Array.from(x))),
  )
  holds(
    t,
    'T → 0 is greedy where the best is alone',
    fc.property(logits, ps, (x, u) => {
      const [best, second] = ranked(x)
      fc.pre(second === undefined || x[best] - x[second] > 1e-6)
      return sample(applied1(temperature(1e-9), x), u === 1 ? 0 : u) === best
    }),
  )
  breaks(
    t,
    'a larger p keeps more',
    fc.property(logits, ps, ps, (x, a, b) => G2.nested(topP(Math.max(a, b)), topP(Math.min(a, b)), x)),
  )
  const short: Processor = (x, previous) =>
    topK(Math.max(1, support(applied(topP(0.9), Array.from(x), previous)).length - 1))(x, previous)
  breaks(
    t,
    'a nucleus without the token that crosses p',
    fc.property(logits, x => G2.nucleus(short, x, 0.9)),
  )
  t.end()
})

const applied1 = (processor: Processor, logits: readonly number[]) => Float64Array.from(applied(processor, logits))

test('processors: examples', t => {
  t.deepEqual(applied(repetitionPenalty(2), [3, -3, 0, 5], [0, 1, 1, 0, 2]), [1.5, -6, 0, 5], 'once a distinct token')
  t.deepEqual(applied(topK(2), [1, 1, 1]), [1, 1, -Infinity], 'ties by lower id')
  const half = [Math.log(0.5), Math.log(0.25), Math.log(0.25)]
  t.deepEqual(support(applied(topP(0.5), half)), [0], 'the mass is reached exactly')
  t.deepEqual(support(applied(topP(0.6), half)), [0, 1], 'the token that crosses stays')
  t.deepEqual(support(applied(minP(0.5), half)), [0, 1, 2], 'half as probable as the best stays')
  t.equal(greedy(Float64Array.from([1, 3, 3])), 1, 'greedy takes the lower id of equals')
  t.deepEqual(applied(processors({ topK: 1, temperature: 0.5 }), [1, 2]), [-Infinity, 4])
  t.end()
})

test('processors: wrong parameters and logits', t => {
  const wrong: readonly (() => unknown)[] = [
    () => temperature(0),
    () => temperature(Number.NaN),
    () => topK(0),
    () => topK(1.5),
    () => topP(2),
    () => topP(0),
    () => minP(1),
    () => minP(-0.1),
    () => repetitionPenalty(0),
    () => applied(repetitionPenalty(2), [1, 2], [2]),
  ]
  for (const f of wrong) t.throws(f, InputError)
  t.throws(() => topP(2), /topP: expected a number in \(0, 1\], found 2/)
  t.throws(() => greedy(Float64Array.from([1, Number.NaN])), /expected numbers, found NaN for token 1/)
  t.throws(() => sample(Float64Array.from([-Infinity]), 0), NumericError)
  t.equal(sample(Float64Array.from([0, Infinity]), 0.9), 1, 'an infinite logit is certain')
  t.end()
})
