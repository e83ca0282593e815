import fc from 'fast-check'
import test from 'tape'
import { stopGradient } from '../../operators/stopGradient.ts'
import { add, copy, id, parallel, residual, sequence } from '../../src/compose.ts'
import type { Context } from '../../src/context.ts'
import { define } from '../../src/define.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { scale } from '../../src/kernel/binary.ts'
import { permute } from '../../src/kernel/permute.ts'
import type { Operator } from '../../src/operator.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor } from '../../src/tensor/tensor.ts'
import { type Endo, operatorOf, pointOf, term } from '../arbitraries/operator.ts'
import { matmulOperator } from '../kernel/operators.ts'
import { agree, type Discrepancy, finiteDifference, pullbackTwice, randomCotangent } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'

const engine = referenceEngine()

const law = (
  check: (c: Context, x: Tensor, f: Endo, g: Endo, h: Endo) => Discrepancy | boolean,
): fc.IProperty<unknown> =>
  fc.property(fc.nat(10000), term(1), term(1), term(1), (seed, f, g, h) =>
    scope(() => {
      const { c, x } = pointOf(engine, seed, [f, g, h])
      const result = check(c, x, operatorOf(f), operatorOf(g), operatorOf(h))
      if (typeof result !== 'boolean' && result.ratio > 1) throw new Error(`${result.ratio} times: ${result.at}`)
      return typeof result === 'boolean' ? result : true
    }),
  )

/** Sums of three uses of one weight may be added in another order. */
const close = { tolerance: 1e-12 }

test('D1 define is the point-free composite', t => {
  holds(
    t,
    'define(at(at(x, f), g)) = sequence(f, g)',
    law((c, x, f, g) =>
      agree(
        define<Tensor, Tensor>((at, w) => at(at(w, f), g)),
        sequence(f, g),
        c,
        x,
        close,
      ),
    ),
  )
  holds(
    t,
    'define(x) = id',
    law((c, x) =>
      agree(
        define<Tensor, Tensor>((_, w) => w),
        id<Tensor>(),
        c,
        x,
        close,
      ),
    ),
  )
  holds(
    t,
    'a wire used twice = copy, then add',
    law((c, x, f) =>
      agree(
        define<Tensor, Tensor>((at, w) => at(at.both(at(w, f), w), add<Tensor>())),
        residual(f),
        c,
        x,
        close,
      ),
    ),
  )
  holds(
    t,
    'pair undoes both, triple undoes all, and a member left aside has no part in it',
    law((c, x, f, g) =>
      agree(
        define<Tensor, Tensor>((at, w) => {
          const [y] = at.pair(at.both(at(w, f), w))
          const [, z] = at.triple(at.all(w, y, at(w, f)))
          return at(z, g)
        }),
        sequence(f, g),
        c,
        x,
        close,
      ),
    ),
  )
  holds(
    t,
    'two branches = parallel after copy',
    law((c, x, f, g) =>
      agree(
        define<Tensor, Tensor>((at, w) => at(at.both(at(w, f), at(w, g)), add<Tensor>())),
        sequence(copy<Tensor>(), parallel(f, g), add<Tensor>()),
        c,
        x,
        close,
      ),
    ),
  )
  holds(
    t,
    'nested define',
    law((c, x, f, g, h) =>
      agree(
        define<Tensor, Tensor>((at, w) =>
          at(
            at(
              w,
              define<Tensor, Tensor>((on, v) => on(on(v, f), g)),
            ),
            h,
          ),
        ),
        sequence(f, g, h),
        c,
        x,
        close,
      ),
    ),
  )
  breaks(
    t,
    'wires crossed',
    law((c, x, f, g) =>
      agree(
        define<Tensor, Tensor>((at, w) => at(at(w, g), f)),
        sequence(f, g),
        c,
        x,
      ),
    ),
    { numRuns: 200 },
  )
  t.end()
})

test('D3, D4 hold for definitions with wires used twice', t => {
  const woven = (f: Endo, g: Endo): Endo =>
    define<Tensor, Tensor>((at, w) => {
      const y = at(w, f)
      const z = at(at.both(y, w), add<Tensor>())
      return at(at.both(at(z, g), y), add<Tensor>())
    })
  holds(
    t,
    'D3',
    law((c, x, f, g) => pullbackTwice(woven(f, g), c, x)),
  )
  holds(
    t,
    'D4',
    law((c, x, f, g) => finiteDifference(woven(f, g), c, x)),
    { numRuns: 40 },
  )
  t.end()
})

const first: Operator<readonly [Tensor, Tensor], Tensor> = (_, [x, y]) => ({
  value: x,
  state: {},
  saved: [],
  pullback: d => [{}, [d, scale(y, 0)]],
})

test('an input or a branch that the result does not use gets a zero cotangent', t => {
  holds(
    t,
    'a dropped wire',
    law((c, x, f, g) => {
      const op = define<Tensor, Tensor>((at, w) => {
        at(w, g)
        return at(w, f)
      })
      return agree(op, f, c, x, close)
    }),
  )
  holds(
    t,
    'a result that is a constant',
    law((c, x) => {
      const op = define<Tensor, Tensor>((at, w) => at(w, stopGradient))
      const [, dx] = op(c, x).pullback(randomCotangent(x, key(1)))
      return Array.from(readNow(dx)).every(n => n === 0)
    }),
  )
  holds(
    t,
    'a second input nobody reads',
    law((c, x, f) => {
      const op = define<readonly [Tensor, Tensor], Tensor>((at, w) => at(at(w, first), f))
      const [, [, dy]] = op(c, [x, x.share()]).pullback(randomCotangent(x, key(1)))
      return Array.from(readNow(dy)).every(n => n === 0)
    }),
  )
  t.end()
})

test('states of all steps are written, and products of two wires differentiate', t => {
  scope(() => {
    const { c, x } = pointOf(engine, 1)
    const remembering =
      (name: string): Endo =>
      (_, input) => ({ value: input, state: { [name]: input }, saved: [], pullback: d => [{}, d] })
    const op = define<Tensor, Tensor>((at, w) => at(at(w, remembering('first')), remembering('second')))
    t.deepEqual(Object.keys(op(c, x).state), ['first', 'second'])
    const square = pointOf(engine, 2).x
    const op3: Operator<readonly [Tensor, Tensor], Tensor> = define((at, w) => at(w, matmulOperator))
    const right = permute(square, [1, 0])
    t.ok(finiteDifference(op3, c, [square, right] as const).ratio <= 1, 'D4 of a product')
  })
  t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
  t.end()
})
