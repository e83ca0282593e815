import test from 'tape'
import {
  constant,
  cosineDecay,
  inverseSquareRoot,
  joinSchedules,
  linearDecay,
  linearWarmup,
  type Schedule,
} from '../../../operators/optimizer/index.ts'
import { InputError } from '../../../src/errors.ts'
import { O6 } from '../../laws/optimizer.ts'

test(`O6 ${O6.name}`, t => {
  const options = { rate: 1e-3, warmup: 100, total: 2000, minimum: 1e-4 }
  const cosine = cosineDecay(options)
  // nanoGPT: the first value, the last of the warm-up, the peak, half-way, the end, and after it.
  t.ok(
    O6.values(cosine, [
      [0, 1e-3 / 101],
      [99, 1e-1 / 101],
      [100, 1e-3],
      [1050, 5.5e-4],
      [2000, 1e-4],
      [9999, 1e-4],
    ]),
    'cosine: values',
  )
  t.ok(O6.warm(cosine, 100), 'cosine: warm-up')
  t.ok(O6.continuous(cosine, 2100, 1e-3 / 101), 'cosine: continuous')

  const linear = linearDecay(options)
  t.ok(
    O6.values(linear, [
      [0, 1e-3 / 101],
      [100, 1e-3],
      [1050, 5.5e-4],
      [2000, 1e-4],
      [2001, 1e-4],
    ]),
    'linear: values',
  )
  t.ok(O6.warm(linear, 100) && O6.continuous(linear, 2100, 1e-3 / 101), 'linear: warm-up, continuous')

  const vaswani = inverseSquareRoot({ rate: (512 * 4000) ** -0.5, warmup: 4000 })
  const published: Schedule = step => 512 ** -0.5 * Math.min((step + 1) ** -0.5, (step + 1) * 4000 ** -1.5)
  t.ok(
    O6.values(
      vaswani,
      [0, 1, 3998, 3999, 4000, 99999].map(step => [step, published(step)]),
    ),
    'inverse square root: as published',
  )
  t.ok(O6.warm(vaswani, 3999) && O6.continuous(vaswani, 9000, vaswani(0)), 'inverse square root: warm-up, continuous')

  t.ok(
    O6.values(linearWarmup({ rate: 2, warmup: 3 }), [
      [0, 0.5],
      [1, 1],
      [2, 1.5],
      [3, 2],
      [50, 2],
    ]),
    'warm-up: values',
  )
  t.ok(O6.values(linearWarmup({ rate: 2 }), [[0, 2]]), 'no warm-up')
  t.ok(
    O6.values(cosineDecay({ rate: 2, total: 4 }), [
      [0, 2],
      [2, 1],
      [4, 0],
    ]),
    'no warm-up: cosine',
  )

  const joined = joinSchedules(
    [
      { schedule: linearWarmup({ rate: 1, warmup: 10 }), steps: 10 },
      { schedule: constant(1), steps: 5 },
    ],
    linearDecay({ rate: 1, total: 10 }),
  )
  t.ok(
    O6.values(joined, [
      [0, 1 / 11],
      [9, 10 / 11],
      [10, 1],
      [14, 1],
      [15, 1],
      [20, 0.5],
      [25, 0],
      [26, 0],
    ]),
    'join: each piece counts from its own start',
  )
  t.ok(O6.warm(joined, 10) && O6.continuous(joined, 30, 0.1), 'join: continuous')

  const fromZero: Schedule = step => Math.min(1, step / 10)
  t.notOk(O6.warm(fromZero, 10), 'negative control: a warm-up that starts at zero')
  const jump = joinSchedules([{ schedule: constant(1), steps: 5 }], constant(0))
  t.notOk(O6.continuous(jump, 10, 0.1), 'negative control: a jump')
  t.notOk(O6.values(cosine, [[1050, 5e-4]]), 'negative control: another minimum')

  t.throws(() => cosineDecay({ rate: 1, total: 10, warmup: 20 }), InputError)
  t.throws(() => cosineDecay({ rate: 1, total: 10, minimum: 2 }), /minimum: expected at most the rate 1, found 2/)
  t.throws(() => linearDecay({ rate: 1, total: 0 }), /linearDecay: total: expected a positive integer, found 0/)
  t.end()
})
