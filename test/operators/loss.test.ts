import fc from 'fast-check'
import test from 'tape'
import type { Logits } from '../../operators/hidden.ts'
import { crossEntropy } from '../../operators/loss/crossEntropy.ts'
import { context } from '../../src/context.ts'
import { InputError } from '../../src/errors.ts'
import type { CrossEntropyOptions } from '../../src/kernel/crossEntropy.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { within } from '../laws/check.ts'
import { finiteDifference } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, type Numbers, numbers, random, rows, same, sum } from './support.ts'

const CLASSES = 5
const none = context({})
const logitsOf = (x: Numbers): Logits => tensor(engine, [1, x.length / CLASSES, CLASSES], x)
const run = (x: Numbers, targets: Numbers, options: CrossEntropyOptions = {}) =>
  scope(() => {
    const { value, pullback } = crossEntropy(tokens(targets), options)(none, logitsOf(x))
    return { loss: numbers(value)[0] ?? Number.NaN, gradient: numbers(pullback(tensor(engine, [], [1]))[1]) }
  })
const problem = fc
  .integer({ min: 1, max: 4 })
  .chain(n =>
    fc.tuple(
      fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: n * CLASSES, maxLength: n * CLASSES }),
      fc.array(fc.nat(CLASSES - 1), { minLength: n, maxLength: n }),
    ),
  )
const softmax = (x: Numbers) => x.map(a => Math.exp(a) / sum(x.map(Math.exp)))

test('L8 cross-entropy', t => {
  holds(
    t,
    'L8 it is not negative, and its gradient is (softmax - one-hot) / n, summing to 0',
    fc.property(problem, ([x, targets]) => {
      const { loss, gradient } = run(x, targets)
      const expected = rows(x, CLASSES).flatMap((row, i) =>
        softmax(row).map((p, j) => (p - (j === targets[i] ? 1 : 0)) / targets.length),
      )
      return (
        loss >= 0 &&
        close(gradient, expected, 1e-10) &&
        rows(gradient, CLASSES).every(row => Math.abs(sum(row)) < 1e-12)
      )
    }),
  )
  t.ok(close([run(new Array<number>(CLASSES).fill(3), [2]).loss], [Math.log(CLASSES)]), 'L8 uniform logits give log V')
  holds(
    t,
    'L8 label smoothing 0 is cross-entropy',
    fc.property(problem, ([x, targets]) => same([run(x, targets).loss], [run(x, targets, { labelSmoothing: 0 }).loss])),
  )
  breaks(
    t,
    'L8 label smoothing 0.1 is not',
    fc.property(problem, ([x, targets]) =>
      close([run(x, targets).loss], [run(x, targets, { labelSmoothing: 0.1 }).loss]),
    ),
  )
  holds(
    t,
    'L8 ignored positions contribute nothing',
    fc.property(
      problem,
      fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: CLASSES, maxLength: CLASSES }),
      ([x, targets], junk) => {
        const more = run([...x, ...junk], [...targets, -100])
        const less = run(x, targets)
        return (
          close([more.loss], [less.loss]) &&
          close(more.gradient.slice(0, x.length), less.gradient) &&
          more.gradient.slice(x.length).every(d => d === 0)
        )
      },
    ),
  )
  t.equal(run([1, 2, 3, 4, 5], [-100]).loss, 0, 'nothing counted is 0, not NaN')
  t.throws(
    () => run([1, 2, 3, 4, 5], [5]),
    /target 5 is not in the vocabulary of 5/,
    'a target outside the vocabulary is an error',
  )
  holds(
    t,
    'D9 the gradient of a batch is the mean of those of its halves',
    fc.property(problem, ([x, targets]) => {
      const whole = run([...x, ...x.map(a => a / 2)], [...targets, ...targets])
      const [first, second] = [
        run(x, targets),
        run(
          x.map(a => a / 2),
          targets,
        ),
      ]
      return (
        close(
          whole.gradient,
          [...first.gradient, ...second.gradient].map(d => d / 2),
          1e-10,
        ) && close([whole.loss], [(first.loss + second.loss) / 2])
      )
    }),
  )
  const logits = random<readonly ['batch', 'time', 'vocabulary']>([2, 2, CLASSES], 1)
  for (const options of [{}, { labelSmoothing: 0.2 }, { ignoreIndex: 3 }])
    within(
      t,
      `D4 cross-entropy ${JSON.stringify(options)}`,
      finiteDifference(crossEntropy(tokens([1, 3, 0, 4], [2, 2]), options), none, logits),
    )
  for (const labelSmoothing of [-0.1, 1, 2, Number.NaN])
    t.throws(() => run([0, 0, 0, 0, 0], [1], { labelSmoothing }), InputError, `label smoothing ${labelSmoothing}`)
  t.end()
})
