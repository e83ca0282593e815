import fc from 'fast-check'
import test from 'tape'
import { stopGradient } from '../../operators/stopGradient.ts'
import { tap } from '../../operators/tap.ts'
import { add, category, compose, copy, id, parallel, residual, sequence } from '../../src/compose.ts'
import { type Context, context } from '../../src/context.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { UsedAfterFreeError } from '../../src/errors.ts'
import { multiply, add as plus, scale } from '../../src/kernel/binary.ts'
import { broadcastTo, sum } from '../../src/kernel/reduce.ts'
import { concat as join, split } from '../../src/kernel/slice.ts'
import { concat, type Operator } from '../../src/operator.ts'
import { key } from '../../src/random.ts'
import { checkpoint, scoped } from '../../src/scoped.ts'
import { trainable } from '../../src/tensor/quantizedMatrix.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type Endo, operatorOf, pointOf, term } from '../arbitraries/operator.ts'
import { linearOperator, softmaxOperator } from '../kernel/operators.ts'
import { agree, type Discrepancy, finiteDifference, pullbackTwice, randomCotangent } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'

const engine = referenceEngine()
const seeds = fc.nat(10000)
const numbers = (x: Tensor): number[] => Array.from(readNow(x))
const same = (x: Tensor, y: Tensor): boolean => numbers(x).every((a, i) => Object.is(a, numbers(y)[i]))
const near = (x: Tensor, y: Tensor): boolean =>
  numbers(x).every((a, i) => Math.abs(a - (numbers(y)[i] ?? Number.NaN)) <= 1e-9 * (1 + Math.abs(a)))

/** A law of one, two or three random operators at a random point. */
const law = (
  check: (c: Context, x: Tensor, f: Endo, g: Endo, h: Endo) => Discrepancy | boolean,
): fc.IProperty<unknown> =>
  fc.property(seeds, term(), term(1), term(1), (seed, f, g, h) =>
    scope(() => {
      const { c, x } = pointOf(engine, seed, [f, g, h])
      const result = check(c, x, operatorOf(f), operatorOf(g), operatorOf(h))
      if (typeof result !== 'boolean' && result.ratio > 1) throw new Error(`${result.ratio} times: ${result.at}`)
      return typeof result === 'boolean' ? result : true
    }),
  )

const bits = { tolerance: 0 }

test('D1 category: identities and associativity, values and pullbacks', t => {
  holds(
    t,
    'id then f',
    law((c, x, f) => agree(compose(id<Tensor>(), f), f, c, x, bits)),
  )
  holds(
    t,
    'f then id',
    law((c, x, f) => agree(compose(f, id<Tensor>()), f, c, x, bits)),
  )
  holds(
    t,
    'associative',
    law((c, x, f, g, h) => agree(compose(compose(f, g), h), compose(f, compose(g, h)), c, x, { tolerance: 1e-12 })),
  )
  holds(
    t,
    'fp-ts category: g after f',
    law((c, x, f, g) => agree(category.compose(g, f), compose(f, g), c, x, bits)),
  )
  holds(
    t,
    'fp-ts category: identity',
    law((c, x, f) => agree(category.compose(category.id<Tensor>(), f), f, c, x, bits)),
  )
  breaks(
    t,
    'composition is not commutative',
    law((c, x, f, g) => agree(compose(f, g), compose(g, f), c, x)),
    {
      numRuns: 200,
    },
  )
  t.end()
})

test('D2 chain rule: the pullback of a composite is the composite of pullbacks', t => {
  const byHand =
    (f: Endo, g: Endo): Endo =>
    (c, x) => {
      const first = f(c, x)
      const second = g(c, first.value)
      return {
        value: second.value,
        state: {},
        saved: [...first.saved, ...second.saved],
        pullback: d => {
          const [ofG, between] = second.pullback(d)
          const [ofF, dx] = first.pullback(between)
          return [concat(ofF, ofG), dx]
        },
      }
    }
  holds(
    t,
    'g after f',
    law((c, x, f, g) => agree(sequence(f, g), byHand(f, g), c, x, bits)),
  )
  breaks(
    t,
    'a pullback that forgets f',
    law((c, x, f, g) => {
      const forgetful: Endo = (context, input) => {
        const y = sequence(f, g)(context, input)
        return { ...y, pullback: d => g(context, f(context, input).value).pullback(d) }
      }
      return agree(forgetful, sequence(f, g), c, x)
    }),
    { numRuns: 200 },
  )
  t.end()
})

test('D3, D4, D12 hold for random composites', t => {
  holds(
    t,
    'D3 pullback linear and callable twice',
    law((c, x, f, g) => pullbackTwice(sequence(f, g), c, x)),
  )
  holds(
    t,
    'D4 finite difference',
    law((c, x, f, g) => finiteDifference(sequence(f, g), c, x)),
    { numRuns: 40 },
  )
  holds(
    t,
    'D12 same bits again',
    law((c, x, f, g) => agree(sequence(f, g), sequence(f, g), c, x, bits)),
  )
  let calls = 0
  const moody: Endo = (_, x) => ({ ...id<Tensor>()(_, x), value: scale(x, ++calls) })
  breaks(
    t,
    'D12 an operator that counts its calls',
    law((c, x) => agree(moody, moody, c, x, bits)),
  )
  const impatient =
    (f: Endo): Endo =>
    (c, x) => {
      const y = f(c, x)
      let used = false
      return {
        ...y,
        pullback: d => {
          const [gradients, dx] = y.pullback(d)
          const result = used ? plus(dx, dx) : dx
          used = true
          return [gradients, result]
        },
      }
    }
  breaks(
    t,
    'D3 a pullback that accumulates over calls',
    law((c, x, f) => pullbackTwice(impatient(f), c, x)),
  )
  t.end()
})

test('D7 copy and add are dual; residual', t => {
  holds(
    t,
    'pull(copy) = add, pull(add) = copy',
    law((c, x, f) => {
      const y = f(c, x).value
      const [, added] = copy<Tensor>()(c, x).pullback([x, y])
      const [, copied] = add<Tensor>()(c, [x, y]).pullback(y)
      return same(added, plus(x, y)) && copied.every(part => same(part, y))
    }),
  )
  holds(
    t,
    'pull(x + f x) = id + pull(f)',
    law((c, x, f) => {
      const d = randomCotangent(x, key(7))
      const [gradients, dx] = residual(f)(c, x).pullback(d)
      const [ofF, through] = f(c, x).pullback(d)
      return near(dx, plus(through, d)) && Object.entries(ofF).every(([path, g]) => near(gradients[path] ?? x, g))
    }),
  )
  breaks(
    t,
    'pull(x + f x) without the copy',
    law((c, x, f) => {
      const d = randomCotangent(x, key(7))
      return near(residual(f)(c, x).pullback(d)[1], f(c, x).pullback(d)[1])
    }),
  )
  t.end()
})

const weightNames = (name: string): Endo => linearOperator(4, true, false, `${name}.`)

test('D8 gradients form a commutative monoid; a weight used twice gets the sum', t => {
  holds(
    t,
    'sum of both uses',
    law((c, x) => {
      const shared = sequence(weightNames('a'), weightNames('a'))
      const apart: Context = context({
        'one.weight': parameterOf(c, 'a.weight'),
        'one.bias': parameterOf(c, 'a.bias'),
        'two.weight': parameterOf(c, 'a.weight'),
        'two.bias': parameterOf(c, 'a.bias'),
      })
      const [together] = shared(c, x).pullback(randomCotangent(x, key(3)))
      const [separate] = sequence(weightNames('one'), weightNames('two'))(apart, x).pullback(randomCotangent(x, key(3)))
      return ['weight', 'bias'].every(name => {
        const [sum, one, two] = [together[`a.${name}`], separate[`one.${name}`], separate[`two.${name}`]]
        return sum !== undefined && one !== undefined && two !== undefined && near(sum, plus(one, two))
      })
    }),
  )
  holds(
    t,
    'concat: unit, commutative, associative',
    law((c, x, f, g, h) => {
      const d = randomCotangent(x, key(5))
      const [[u], [v], [w]] = [f(c, x).pullback(d), g(c, x).pullback(d), h(c, x).pullback(d)]
      const equal = (a: typeof u, b: typeof u): boolean =>
        Object.keys(a).length === Object.keys(b).length &&
        Object.entries(a).every(([path, one]) => {
          const other = b[path]
          return other !== undefined && near(one, other)
        })
      return (
        equal(concat(u, {}), u) &&
        equal(concat({}, u), u) &&
        equal(concat(u, v), concat(v, u)) &&
        equal(concat(concat(u, v), w), concat(u, concat(v, w)))
      )
    }),
  )
  breaks(
    t,
    'records merged without adding',
    law((c, x) => {
      const y = sequence(weightNames('a'), weightNames('a'))(c, x)
      const last = weightNames('a')(c, weightNames('a')(c, x).value)
      const d = randomCotangent(x, key(3))
      const [sum, one] = [y.pullback(d)[0]['a.weight'], last.pullback(d)[0]['a.weight']]
      return sum !== undefined && one !== undefined && near(sum, one)
    }),
  )
  t.end()
})

const parameterOf = (c: Context, path: string): Tensor => {
  const found = c.parameters[path]
  if (found === undefined) throw new RangeError(`no parameter ${path}`)
  return trainable(found, path)
}

test('D9 gradients are a homomorphism from examples: grad(X ++ Y) = grad(X) + grad(Y)', t => {
  /** The gradient of two batches joined, against the sum of theirs. */
  const addsUp = (op: Endo) =>
    law((c, x) => {
      const y = scale(x, -2)
      const d = randomCotangent(join([x, y], 0), key(11))
      const [dx, dy] = split(d, 0, [3, 3])
      if (dx === undefined || dy === undefined) return false
      const [whole] = op(c, join([x, y], 0)).pullback(d)
      const parts = concat(op(c, x).pullback(dx)[0], op(c, y).pullback(dy)[0])
      return Object.entries(whole).every(([path, gradient]) => {
        const sum = parts[path]
        return sum !== undefined && near(gradient, sum)
      })
    })
  const rowByRow = sequence(weightNames('a'), softmaxOperator, weightNames('b'), weightNames('a'))
  holds(t, 'micro-batches add up', addsUp(rowByRow))
  /** Every example is multiplied by the sum over its batch. */
  const acrossBatch: Endo = (_, x) => {
    const total = broadcastTo(sum(x, 0), x.shape)
    return {
      value: multiply(x, total),
      state: {},
      saved: [x, total],
      pullback: d => [{}, plus(multiply(d, total), broadcastTo(sum(multiply(d, x), 0), x.shape))],
    }
  }
  breaks(t, 'an operator that mixes its batch', addsUp(sequence(weightNames('a'), acrossBatch, weightNames('b'))))
  t.end()
})

test('D10 parallel: the pullback is the pair of pullbacks; swapping branches swaps gradients', t => {
  const swap: Operator<readonly [Tensor, Tensor], readonly [Tensor, Tensor]> = (_, [x, y]) => ({
    value: [y, x],
    state: {},
    saved: [],
    pullback: ([dy, dx]) => [{}, [dx, dy]],
  })
  holds(
    t,
    'pair of pullbacks',
    law((c, x, f, g) => {
      const y = scale(x, 3)
      const [dx, dy] = [randomCotangent(x, key(1)), randomCotangent(x, key(2))]
      const [gradients, [left, right]] = parallel(f, g)(c, [x, y]).pullback([dx, dy])
      const [[ofF, toX], [ofG, toY]] = [f(c, x).pullback(dx), g(c, y).pullback(dy)]
      const sum = concat(ofF, ofG)
      return (
        same(left, toX) &&
        same(right, toY) &&
        Object.entries(gradients).every(([path, gradient]) => near(gradient, sum[path] ?? x))
      )
    }),
  )
  holds(
    t,
    'swap, g beside f, swap = f beside g',
    law((c, x, f, g) => agree(sequence(swap, parallel(g, f), swap), parallel(f, g), c, [x, scale(x, 3)] as const)),
  )
  breaks(
    t,
    'f beside g is not g beside f',
    law((c, x, f, g) => agree(parallel(f, g), parallel(g, f), c, [x, scale(x, 3)] as const)),
    { numRuns: 200 },
  )
  t.end()
})

test('D11 stop-gradient: the value is the input, the pullback is zero', t => {
  const zeroThrough = (op: Endo) =>
    law((c, x, f) => {
      const y = sequence(f, op)(c, x)
      const [gradients, dx] = y.pullback(randomCotangent(x, key(1)))
      return (
        same(y.value, f(c, x).value) && [dx, ...Object.values(gradients)].every(d => numbers(d).every(n => n === 0))
      )
    })
  holds(t, 'nothing flows back', zeroThrough(stopGradient))
  breaks(t, 'the identity', zeroThrough(id<Tensor>()))
  t.end()
})

test('checkpoint(f) is f: same bits, recomputed', t => {
  holds(
    t,
    'value, gradients and cotangent',
    law((c, x, f, g) => agree(checkpoint(sequence(f, g)), sequence(f, g), c, x, bits)),
  )
  holds(
    t,
    'saves its input only',
    law((c, x, f) => checkpoint(f)(c, x).saved.every(kept => kept === x)),
  )
  t.end()
})

/** What a tap sees of a value and its pullback, in order. */
const shownBy = (op: Endo, c: Context, x: Tensor): readonly (readonly [string, readonly number[]])[] => {
  const shown: [string, readonly number[]][] = []
  const y = op({ ...c, tap: (name, value) => shown.push([name, numbers(value)]) }, x)
  y.pullback(randomCotangent(y.value, key(1)))
  return shown
}
const sameShown = (f: Endo, g: Endo, c: Context, x: Tensor): boolean =>
  JSON.stringify(shownBy(f, c, x)) === JSON.stringify(shownBy(g, c, x))

test('checkpoint(f) shows to taps what f shows: each activation once, then each cotangent', t => {
  const watched = (f: Endo): Endo => scoped('h', sequence(tap('before'), f, tap('after')))
  const nested = (c: Context, x: Tensor, f: Endo, g: Endo, recompute: (op: Endo) => Endo): boolean =>
    sameShown(
      recompute(sequence(watched(f), recompute(watched(g)), tap('last'))),
      sequence(watched(f), watched(g), tap('last')),
      under('h', c),
      x,
    )
  holds(
    t,
    'and so does one inside another',
    law((c, x, f, g) => nested(c, x, f, g, checkpoint)),
  )
  const forgetful =
    (op: Endo): Endo =>
    (c, x) => ({ ...op(c, x), pullback: d => op(c, x).pullback(d) })
  breaks(
    t,
    'computed again in the same context',
    law((c, x, f, g) => nested(c, x, f, g, forgetful)),
  )
  t.end()
})

/** The context's parameters one level down. */
const under = (name: string, c: Context): Context => ({
  ...c,
  parameters: Object.fromEntries(Object.entries(c.parameters).map(([path, p]) => [`${name}.${path}`, p])),
})

test('scoped: the same numbers under prefixed names', t => {
  holds(
    t,
    'h.0',
    law((c, x) => {
      const op = sequence(weightNames('a'), weightNames('b'))
      const y = scoped('h.0', op)(under('h.0', c), x)
      const d = randomCotangent(x, key(1))
      const [[gradients, dx], [plain, plainDx]] = [y.pullback(d), op(c, x).pullback(d)]
      const paths = Object.keys(plain)
      return (
        same(dx, plainDx) &&
        Object.keys(gradients).length === paths.length &&
        paths.every(path => same(gradients[`h.0.${path}`] ?? x, plain[path] ?? d))
      )
    }),
  )
  holds(
    t,
    'D3 through scopes',
    law((c, x, f) => pullbackTwice(scoped('h', f), under('h', c), x)),
  )
  t.end()
})

test('S15 a pullback runs after its scope closed, on what it saved', t => {
  holds(
    t,
    'saved is enough',
    law((c, x, f, g) => {
      const op = sequence(f, g)
      const pulled = scope(() => op(c, x))
      const inside = op(c, x)
      const d = randomCotangent(x, key(1))
      return same(pulled.pullback(d)[1], inside.pullback(d)[1])
    }),
  )
  const forgetful: Endo = (_, x) => {
    const factor = scale(x, 2)
    return { value: multiply(x, factor), state: {}, saved: [], pullback: d => [{}, multiply(d, factor)] }
  }
  const x = tensor(engine, [2], [1, 2])
  const pulled = scope(() => forgetful(context({}), x))
  t.throws(
    () => scope(() => pulled.pullback(x)),
    UsedAfterFreeError,
    'negative control: a pullback that did not say what it saves',
  )
  t.throws(() => scope(() => pulled.pullback(x)), /name it in `saved`/, 'the message names the remedy')
  x.release()
  pulled.value.release()
  t.equal(engine.counter.allocated - engine.counter.freed, 0, 'everything allocated was freed')
  t.end()
})
