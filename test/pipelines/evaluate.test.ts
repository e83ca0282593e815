/** Evaluation equals a hand computation, stops when unsubscribed, and computes no further than it is read. */
import fc from 'fast-check'
import { map, take } from 'rxjs'
import test from 'tape'
import { evaluate } from '../../pipelines/evaluate.ts'
import { everyLogits, type LanguageModel } from '../../pipelines/languageModel.ts'
import { context, type Named } from '../../src/context.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { NumericError } from '../../src/errors.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { settle } from '../laws/streams.ts'
import { models, parametersFor, VOCABULARY } from './models.ts'
import { all, counting, live, readingLate } from './support.ts'

type Numbers = readonly number[]

/** Negative log-likelihood of each token that a window predicts, in f64, from logits alone: no kernel of the loss takes part. */
const nats = (model: LanguageModel, parameters: Named, window: Numbers): number[] => {
  const logits = scope(() => readNow(everyLogits(model)(context(parameters), tokens(window.slice(0, -1))).value))
  return window.slice(1).map((target, i) => {
    const row = Array.from(logits.slice(i * VOCABULARY, (i + 1) * VOCABULARY))
    return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - (row[target] ?? Number.NaN)
  })
}

/** Windows side by side, each without context, the last incomplete one left out; `overlap` tokens of the next are predicted too. */
const byHand = (model: LanguageModel, parameters: Named, ids: Numbers, block: number, from = 0): number[] => {
  const losses: number[] = []
  for (let start = from; start + block < ids.length; start += block)
    losses.push(...nats(model, parameters, ids.slice(start, start + block + 1)))
  return losses
}

const mean = (xs: Numbers): number => xs.reduce((sum, x) => sum + x, 0) / xs.length
const near = (x: number, y: number, tolerance: number): boolean => Math.abs(x - y) <= tolerance * (1 + Math.abs(y))
const text = (length: number): number[] => Array.from({ length }, (_, i) => (7 * i + (i % 5) * (i % 3)) % VOCABULARY)

for (const [name, model] of Object.entries(models)) {
  test(`L7 ${name}: the loss on a text is the mean of its tokens' negative log-likelihoods`, async t => {
    const engine = referenceEngine()
    const parameters = parametersFor(model, engine)
    const fast = wasmEngine()
    const single = parametersFor(model, fast)
    const law = fc.asyncProperty(
      fc.integer({ min: 4, max: 60 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 2, max: 4 }),
      async (length, block, batch) => {
        const ids = text(length)
        const hand = byHand(model, parameters, ids, block)
        const running = await all(evaluate(everyLogits(model), parameters, Int32Array.from(ids), { batch, block }))
        const last = running.at(-1)
        const f32 = (await all(evaluate(everyLogits(model), single, Int32Array.from(ids), { batch, block }))).at(-1)
        return (
          last !== undefined &&
          f32 !== undefined &&
          last.tokens === hand.length &&
          near(last.loss, mean(hand), 1e-12) &&
          near(last.perplexity, Math.exp(mean(hand)), 1e-11) &&
          near(f32.loss, last.loss, 1e-5) &&
          running.every(
            (part, i) =>
              part.tokens === Math.min((i + 1) * batch * block, hand.length) &&
              near(part.loss, mean(hand.slice(0, part.tokens)), 1e-12),
          )
        )
      },
    )
    const result = await fc.check(law, { numRuns: 12 })
    t.notOk(result.failed, result.failed ? fc.defaultReportMessage(result) : `${result.numRuns} texts, f64 and f32`)
    const ids = text(30)
    const [last] = (
      await all(evaluate(everyLogits(model), parameters, Int32Array.from(ids), { batch: 9, block: 3 }))
    ).slice(-1)
    t.notOk(
      near(last?.loss ?? 0, mean(byHand(model, parameters, ids, 3, 1)), 1e-6),
      'negative control: other windows, another loss',
    )
    t.notOk(near(last?.loss ?? 0, mean(byHand(model, parameters, ids, 6)), 1e-6), 'negative control: more context too')
    t.equal(live(engine), Object.keys(parameters).length, 'S15 only the parameters are left')
    t.end()
  })
}

test('S8, S10 evaluation is demand-driven: a batch computes when the one before was read', async t => {
  const model = models.gpt
  if (model === undefined) return t.end('no gpt')
  const ids = Int32Array.from(text(200))
  const windows = { batch: 2, block: 8 }
  const expected = await all(evaluate(everyLogits(model), parametersFor(model, referenceEngine()), ids, windows))
  for (const [name, engine] of [
    ['reads at once', referenceEngine()],
    ['reads late', readingLate(referenceEngine())],
  ] as const) {
    const { model: counted, passes } = counting(model)
    const parameters = parametersFor(model, engine)
    const base = live(engine)
    const evaluation$ = evaluate(everyLogits(counted), parameters, ids, windows)
    t.equal(passes.length, 0, `${name}: nothing runs before subscribe`)
    const ahead: number[] = []
    t.deepEqual(
      await all(
        evaluation$.pipe(
          map((value, i) => {
            ahead.push(passes.length - i)
            return value
          }),
        ),
      ),
      expected,
      `${name}: the same losses`,
    )
    t.ok(Math.max(...ahead) === 1, `${name}: no pass ahead of the one read`)
    passes.length = 0
    await all(evaluation$.pipe(take(3)))
    await settle(10)
    t.equal(passes.length, 3, `${name}: three values cost three passes`)
    passes.length = 0
    const subscription = evaluation$.subscribe(() => {
      if (passes.length === 2) subscription.unsubscribe()
    })
    await settle(20)
    t.equal(passes.length, 2, `${name}: unsubscribing stops it`)
    t.equal(live(engine), base, `${name}: S15 nothing is left`)
  }
  t.end()
})

test('evaluation: a wrong id or a text shorter than a window', async t => {
  const model = models.gpt
  if (model === undefined) return t.end('no gpt')
  const engine = wasmEngine()
  const parameters = parametersFor(model, engine)
  const base = live(engine)
  t.deepEqual(
    await all(evaluate(everyLogits(model), parameters, Int32Array.of(1, 2), { batch: 1, block: 2 })),
    [],
    'no window, no value',
  )
  await all(evaluate(everyLogits(model), parameters, Int32Array.of(1, 2, 99, 4), { batch: 1, block: 2 })).then(
    () => t.fail('accepted'),
    error => t.ok(/99 is not in the vocabulary of 11/.test(String(error)), String(error)),
  )
  const broken = { ...parameters, 'ln_f.weight': tensor(engine, [16], new Float64Array(16).fill(Number.NaN)) }
  await all(evaluate(everyLogits(model), broken, Int32Array.of(1, 2, 3), { batch: 1, block: 2 })).then(
    () => t.fail('accepted'),
    error => t.ok(error instanceof NumericError, String(error)),
  )
  broken['ln_f.weight'].release()
  t.equal(live(engine), base, 'S15 nothing is left')
  t.end()
})
