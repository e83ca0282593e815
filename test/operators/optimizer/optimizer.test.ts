import fc from 'fast-check'
import test from 'tape'
import {
  accumulate,
  adam,
  adamW,
  applyUpdate,
  chain,
  clipByGlobalNorm,
  clipByValue,
  cosineDecay,
  ema,
  identity,
  momentum,
  type Optimizer,
  rmsprop,
  scale,
  sgd,
  trace,
} from '../../../operators/optimizer/index.ts'
import { naturalNumber } from '../../../src/codec/fields.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { InputError } from '../../../src/errors.ts'
import { flatten, unflatten } from '../../../src/state.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { nonZero, trainings } from '../../arbitraries/values.ts'
import {
  download,
  mapValues,
  norm,
  O1,
  O2,
  O3,
  O4,
  O5,
  O7,
  O8,
  O9,
  O11,
  type Run,
  run,
  type Steps,
  same,
  upload,
  type Values,
} from '../../laws/optimizer.ts'
import { breaks, holds } from '../../property.ts'

const steps =
  <S>(make: () => Optimizer<S>, interrupt?: number): Steps =>
  (parameters, gradients): Run =>
    run(referenceEngine(), make(), parameters, gradients, interrupt)

const one = trainings(fc.constant(1))
const few = trainings(fc.integer({ min: 1, max: 5 }))
const rate = cosineDecay({ rate: 0.1, warmup: 2, total: 4, minimum: 0.01 })

interface Subject {
  readonly name: string
  readonly steps: Steps
  readonly interrupted: (at: number) => Steps
  /** Sums over all parameters depend on their order by rounding. */
  readonly tolerance: number
  readonly zero: boolean
}
const subject = <S>(name: string, make: () => Optimizer<S>, { tolerance = 0, zero = true } = {}): Subject => ({
  name,
  steps: steps(make),
  interrupted: at => steps(make, at),
  tolerance,
  zero,
})
const suite: readonly Subject[] = [
  subject('identity', () => identity),
  subject('sgd', () => sgd(rate)),
  subject('trace', () => trace()),
  subject('momentum', () => momentum({ rate: 0.1 })),
  subject('nesterov', () => momentum({ rate, decay: 0.8, nesterov: true })),
  subject('adam', () => adam({ rate })),
  subject('adamW', () => adamW({ rate, beta2: 0.99, weightDecay: 0.1 }), { zero: false }),
  subject('rmsprop', () => rmsprop({ rate: 0.01 })),
  subject('clipByGlobalNorm', () => clipByGlobalNorm(0.5), { tolerance: 1e-12, zero: false }),
  subject('clipByValue', () => clipByValue(0.5)),
  subject('scale', () => scale(-2)),
  subject('accumulate', () => accumulate(2), { zero: false }),
  subject('nanoGPT', () => chain(accumulate(2), clipByGlobalNorm(1), adamW({ rate, beta2: 0.99 })), {
    tolerance: 1e-9,
    zero: false,
  }),
]

test(`O1 ${O1.name}`, t => {
  const a = () => clipByGlobalNorm(1)
  const b = () => momentum({ rate: 0.1 })
  const c = () => adam({ rate: 0.01 })
  const chains = [
    steps(() => chain(a(), b(), c())),
    steps(() => chain(chain(a(), b()), c())),
    steps(() => chain(a(), chain(b(), c()))),
    steps(() => chain(identity, a(), b(), c())),
    steps(() => chain(a(), b(), identity, c(), chain())),
  ]
  holds(
    t,
    'nestings',
    fc.property(few, ([p, g]) => O1.holds(chains, p, g)),
  )
  breaks(
    t,
    'another order is another optimizer',
    fc.property(few, ([p, g]) =>
      O1.holds([steps(() => chain(a(), scale(2))), steps(() => chain(scale(2), a()))], p, g),
    ),
  )
  t.end()
})

test(`O2 ${O2.name}`, t => {
  const pairs = trainings(fc.constant(2))
  const plain = steps(() => sgd(0.1))
  holds(
    t,
    'linear',
    fc.property(pairs, nonZero, nonZero, ([p, [x, y]], a, b) => O2.linear(plain, p, x, y, a, b)),
  )
  breaks(
    t,
    'adam is not linear',
    fc.property(pairs, nonZero, nonZero, ([p, [x, y]], a, b) =>
      O2.linear(
        steps(() => adam({ rate: 0.1 })),
        p,
        x,
        y,
        a,
        b,
      ),
    ),
  )
  for (const nesterov of [false, true])
    holds(
      t,
      `momentum 0, nesterov ${nesterov}`,
      fc.property(few, ([p, g]) =>
        O2.equal(
          steps(() => momentum({ rate: 0.1, decay: 0, nesterov })),
          plain,
          p,
          g,
        ),
      ),
    )
  breaks(
    t,
    'momentum 0.9 is not sgd',
    fc.property(few, ([p, g]) =>
      O2.equal(
        steps(() => momentum({ rate: 0.1 })),
        plain,
        p,
        g,
      ),
    ),
  )
  for (const { name, steps, zero } of suite)
    if (zero)
      holds(
        t,
        `${name}: zero`,
        fc.property(one, ([p]) => O2.zero(steps, p)),
      )
  breaks(
    t,
    'decay moves without a gradient',
    fc.property(one, ([p]) =>
      O2.zero(
        steps(() => adamW({ rate: 0.1 })),
        p,
      ),
    ),
  )
  t.end()
})

test(`O3 ${O3.name}`, t => {
  const exact = steps(() => adam({ rate: 0.1, epsilon: 0 }))
  const factors = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 4 })
  holds(
    t,
    'scale',
    fc.property(few, factors, ([p, g], c) => O3.scaleInvariant(exact, p, g, c)),
  )
  breaks(
    t,
    'sgd follows the scale',
    fc.property(few, factors, ([p, g], c) =>
      O3.scaleInvariant(
        steps(() => sgd(0.1)),
        p,
        g,
        c,
      ),
    ),
  )
  holds(
    t,
    'first step',
    fc.property(one, ([p, g]) => O3.signs(exact, p, g, 0.1)),
  )
  holds(
    t,
    'constant gradients: m̂ = g and v̂ = g² at every step',
    fc.property(one, fc.integer({ min: 1, max: 12 }), ([p, [g]], n) => O3.signs(exact, p, Array(n).fill(g), 0.1)),
  )
  breaks(
    t,
    'changing gradients',
    fc.property(few, ([p, g]) => O3.signs(exact, p, g, 0.1)),
  )
  const many = trainings(fc.integer({ min: 1, max: 12 }))
  const bound = (step: number) => 0.1 * O3.bound(0.9, 0.999, step)
  holds(
    t,
    'bounded',
    fc.property(many, ([p, g]) => O3.bounded(exact, p, g, bound)),
  )
  const growing = Array.from({ length: 400 }, (_, i): Values => ({ x: { shape: [], values: [1.11 ** i] } }))
  const start: Values = { x: { shape: [], values: [1] } }
  t.ok(O3.bounded(exact, start, growing, bound), 'the bound holds for gradients that grow by 11 % a step')
  const published = 0.1 * Math.max(1, (1 - 0.9) / Math.sqrt(1 - 0.999))
  t.notOk(
    O3.bounded(exact, start, growing, () => published),
    'negative control: which breaks the published bound',
  )
  t.end()
})

test(`O4 ${O4.name}`, t => {
  const plain = steps(() => adam({ rate: 0.1 }))
  holds(
    t,
    'without decay it is Adam',
    fc.property(few, ([p, g]) =>
      O2.equal(
        steps(() => adamW({ rate: 0.1, weightDecay: 0 })),
        plain,
        p,
        g,
      ),
    ),
  )
  const matrix = (shape: readonly number[]) => shape.length >= 2
  const decayed = steps(() => adamW({ rate: 0.1, weightDecay: 0.5 }))
  holds(
    t,
    'matrices decay',
    fc.property(one, ([p, g]) => O4.decoupled(decayed, plain, p, g, -0.05, matrix)),
  )
  holds(
    t,
    'a predicate of names and tensors says which decay',
    fc.property(one, ([p, g]) =>
      O4.decoupled(
        steps(() => adamW({ rate: 0.1, weightDecay: 0.5, decays: (_, x) => x.shape.length < 2 })),
        plain,
        p,
        g,
        -0.05,
        shape => !matrix(shape),
      ),
    ),
  )
  breaks(
    t,
    'L2 regularisation is coupled',
    fc.property(one, ([p, [g]]) =>
      O4.decoupled(
        (parameters, [gradient]) =>
          plain(parameters, [mapValues(gradient, (x, i, name) => x + 0.5 * parameters[name].values[i])]),
        plain,
        p,
        [g],
        -0.05,
        matrix,
      ),
    ),
  )
  t.end()
})

test(`O5 ${O5.name}`, t => {
  const limits = fc.double({ min: 0.1, max: 10, noNaN: true })
  holds(
    t,
    'global norm',
    fc.property(one, limits, ([, [g]], limit) =>
      O5.holds(
        steps(() => clipByGlobalNorm(limit)),
        g,
        limit,
      ),
    ),
  )
  breaks(
    t,
    'clipping by value turns the direction',
    fc.property(one, limits, ([, [g]], limit) =>
      O5.holds(
        steps(() => clipByValue(limit)),
        g,
        limit,
      ),
    ),
  )
  const clip = (limit: number) => steps(() => clipByValue(limit))
  holds(
    t,
    'by value: elements within the limit, idempotent',
    fc.property(one, limits, ([, [g]], limit) => {
      const clipped = clip(limit)(g, [g]).updates[0]
      const expected = mapValues(g, value => Math.max(-limit, Math.min(limit, value)))
      return same(clipped, expected) && same(clip(limit)(clipped, [clipped]).updates[0], clipped)
    }),
  )
  const zero: Values = { x: { shape: [2], values: [0, 0] } }
  t.equal(norm(steps(() => clipByGlobalNorm(1))(zero, [zero]).updates[0]), 0, 'a zero gradient stays zero')
  const engine = referenceEngine()
  let reads = 0
  engine.read = () => {
    reads++
    return new Float64Array(0)
  }
  scope(() => {
    const x = upload(engine, zero)
    clipByGlobalNorm(1).step(null, { gradient: x, parameters: x })
  })
  t.equal(reads, 0, 'nothing is read')
  t.end()
})

test(`O7 ${O7.name}`, t => {
  const positive = fc.double({ min: 0.05, max: 5, noNaN: true })
  holds(
    t,
    'sgd',
    fc.property(nonZero, positive, positive, (x, rate, lambda) => {
      fc.pre(Math.abs(rate * lambda - 2) > 1e-3)
      return O7.holds(
        steps(() => sgd(rate)),
        x,
        rate,
        lambda,
      )
    }),
  )
  breaks(
    t,
    'adam does not contract so',
    fc.property(nonZero, positive, positive, (x, rate, lambda) =>
      O7.holds(
        steps(() => adam({ rate })),
        x,
        rate,
        lambda,
      ),
    ),
  )
  t.end()
})

test(`O8 ${O8.name}`, t => {
  const at = fc.integer({ min: 0, max: 4 })
  const few5 = { numRuns: 50 }
  for (const { name, steps, interrupted, tolerance } of suite) {
    holds(
      t,
      `${name}: any order of names`,
      fc.property(few, ([p, g]) => O8.permutes(steps, p, g, tolerance)),
      few5,
    )
    holds(
      t,
      `${name}: shapes, finite numbers`,
      fc.property(few, ([p, g]) => O8.shapes(steps, p, g)),
      few5,
    )
    holds(
      t,
      `${name}: nothing leaks`,
      fc.property(few, ([p, g]) => O8.tidy(steps, p, g)),
      few5,
    )
    holds(
      t,
      `${name}: L11 resumed from a checkpoint`,
      fc.property(few, at, ([p, g], n) => O8.resumes(steps, interrupted(n), p, g)),
      few5,
    )
    holds(
      t,
      `${name}: O11 ${O11.name}`,
      fc.property(few, ([p, g]) => O11.holds(steps, p, g)),
      few5,
    )
  }
  const forgetful = <S>(make: () => Optimizer<S>): Optimizer<S> => ({
    ...make(),
    step: (_, x) => make().step(make().init(), x),
  })
  breaks(
    t,
    'an optimizer that forgets its state does not resume',
    fc.property(few, ([p, g]) =>
      O8.resumes(
        steps(() => adam({ rate: 0.1 })),
        steps(() => forgetful(() => adam({ rate: 0.1 }))),
        p,
        g,
      ),
    ),
  )
  const first = (): Optimizer<null> => ({
    ...identity,
    step: (state, { gradient }) => [
      Object.fromEntries(Object.entries(gradient).map(([name], _, all) => [name, all[0][1]])),
      state,
    ],
  })
  breaks(
    t,
    'an optimizer that looks at the first name',
    fc.property(few, ([p, g]) => O8.permutes(steps(first), p, g, 0)),
  )
  const kept: object[] = []
  const hoarding = (): Optimizer<null> => ({
    ...identity,
    step: (state, { gradient }) => {
      kept.push(Object.values(gradient).map(x => x.share()))
      return [gradient, state]
    },
  })
  t.ok(O8.tidy(steps(hoarding), { x: { shape: [1], values: [1] } }, []), 'no step, no leak')
  const counting = (): Optimizer<number> => ({
    codec: naturalNumber,
    init: () => 0,
    step: (state, { gradient }) => [
      Object.keys(gradient).length === 0 ? gradient : scale(state).step(null, { gradient, parameters: {} })[0],
      state + 1,
    ],
  })
  breaks(
    t,
    'O11: an optimizer that counts empty gradients',
    fc.property(few, ([p, g]) => O11.holds(steps(counting), p, g)),
  )
  t.end()
})

test(`O9 ${O9.name}`, t => {
  const averagesOf = (decay: number, seen: readonly Values[]): readonly Values[] => {
    const engine = referenceEngine()
    const machine = ema(decay)
    let state = machine.init()
    const averages = seen.map(values => {
      const [average, next] = scope(() => machine.step(state, upload(engine, values)))
      state = next
      const result = download(average)
      for (const x of Object.values(average)) x.release()
      return result
    })
    for (const x of Object.values(state.average)) x.release()
    if (engine.counter.allocated !== engine.counter.freed) throw new Error('ema leaks')
    return averages
  }
  const decays = fc.double({ min: 0, max: 1, noNaN: true })
  holds(
    t,
    'convex, and everything freed',
    fc.property(few, decays, ([, seen], decay) => O9.convex(averagesOf(decay, seen), seen)),
  )
  holds(
    t,
    'decay 0',
    fc.property(few, ([, seen]) => averagesOf(0, seen).every((average, i) => same(average, seen[i]))),
  )
  breaks(
    t,
    'an average that starts at zero is not convex',
    fc.property(few, ([, seen]) =>
      O9.convex(
        seen.map(x => mapValues(x, value => 0.1 * value)),
        seen,
      ),
    ),
  )
  t.end()
})

test('accumulate: n gradients give one update by their mean, and nested accumulations multiply', t => {
  const mean = (all: readonly Values[]) =>
    mapValues(all[0], (_, i, name) => all.reduce((sum, x) => sum + x[name].values[i], 0) / all.length)
  holds(
    t,
    'mean',
    fc.property(trainings(fc.constant(6)), ([p, g]) => {
      const often = steps(() => chain(accumulate(3), adam({ rate: 0.1 })))(p, g)
      const once = steps(() => adam({ rate: 0.1 }))(p, [mean(g.slice(0, 3)), mean(g.slice(3))])
      return (
        same(often.updates[2], once.updates[0], 1e-9) &&
        same(often.updates[5], once.updates[1], 1e-6) &&
        [0, 1, 3, 4].every(i => same(often.updates[i], {}))
      )
    }),
  )
  holds(
    t,
    'nested',
    fc.property(trainings(fc.constant(6)), ([p, g]) => {
      const nested = steps(() => chain(accumulate(2), accumulate(3)))(p, g)
      const flat = steps(() => accumulate(6))(p, g)
      return nested.updates.every((update, i) => same(update, flat.updates[i], 1e-9))
    }),
  )
  t.end()
})

test('memory: moments, parameters and velocities are written in place', t => {
  const engine = referenceEngine()
  const optimizer = adamW({ rate: 0.1 })
  const values: Values = { w: { shape: [2, 2], values: [1, 2, 3, 4] } }
  let state = optimizer.init()
  let parameters = upload(engine, values)
  const moments = () => [state.firstMoment.w?.storage, state.secondMoment.w?.storage, parameters.w.storage]
  const step = () => {
    ;[parameters, state] = scope(() => {
      const [update, next] = optimizer.step(state, { gradient: upload(engine, values), parameters })
      return [applyUpdate(parameters, update), next]
    })
  }
  step()
  const parameter = parameters.w.storage
  const live = engine.counter.allocated - engine.counter.freed
  const old = state.firstMoment.w
  for (let i = 0; i < 10; i++) step()
  t.equal(parameters.w.storage, parameter, 'the parameter stays where it is')
  t.equal(moments().length, 3)
  t.equal(engine.counter.copiedBytes, 0, 'nothing is copied')
  t.equal(engine.counter.allocated - engine.counter.freed, live, 'ten steps later as much is live')
  t.notOk(old.live, 'a consumed state is dead')
  const fork = {
    ...state,
    firstMoment: { w: state.firstMoment.w.share() },
    secondMoment: { w: state.secondMoment.w.share() },
  }
  const before = download(fork.firstMoment)
  step()
  t.deepEqual(download(fork.firstMoment), before, 'a forked state is not written')
  t.end()
})

test('errors name the option or the parameter', t => {
  const engine = referenceEngine()
  const x: Values = { w: { shape: [1], values: [1] } }
  const wrong: readonly [() => unknown, RegExp][] = [
    [() => adamW({ rate: -1 }), /adamW: rate: expected a non-negative number, found -1/],
    [() => adamW({ rate: 1, beta1: 1 }), /adamW: beta1: expected a number in \[0, 1\), found 1/],
    [() => momentum({ rate: 1, decay: 2 }), /momentum: decay: expected/],
    [() => clipByGlobalNorm(0), /clipByGlobalNorm: limit: expected a positive number, found 0/],
    [() => accumulate(0), /accumulate: n: expected a positive integer, found 0/],
    [() => ema(2), /ema: decay: expected/],
    [() => steps(() => sgd(() => Number.NaN))(x, [x]), /sgd: rate at step 0: expected .*found NaN/],
    [
      () => adam({ rate: 1 }).step(adam({ rate: 1 }).init(), { gradient: upload(engine, x), parameters: {} }),
      /adamW: expected a parameter named w/,
    ],
    [() => applyUpdate({}, upload(engine, x)), /update of w: expected a parameter/],
  ]
  for (const [f, message] of wrong) {
    try {
      f()
      t.fail(String(message))
    } catch (error) {
      t.ok(error instanceof InputError && message.test(error.message), error instanceof Error ? error.message : '')
    }
  }
  const { codec } = chain(identity, adam({ rate: 1 }))
  const { plain } = flatten([null, { step: -1, firstMoment: {}, secondMoment: {} }])
  const decoded = unflatten(codec, {}, plain, 'optimizer.json')
  t.ok(
    decoded._tag === 'Left' &&
      /optimizer.json: 1.step: expected a non-negative integer, found -1/.test(decoded.left.message),
    'a stored state is checked',
  )
  t.end()
})
