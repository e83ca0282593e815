/** Taps while a model generates: attention weights as an observable, the text unchanged. */
import test from 'tape'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { generate } from '../../pipelines/generate.ts'
import { everyLogits } from '../../pipelines/languageModel.ts'
import { randomWindows } from '../../pipelines/textBatches.ts'
import { gradientOf } from '../../pipelines/trainer.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor } from '../../src/tensor/tensor.ts'
import { taps } from '../../streams/index.ts'
import { models, parametersFor } from './models.ts'
import { all, generationOptions, idsOf, live } from './support.ts'

const tokenizer = trainCharacterTokenizer(['abcdefghijk'])
const PROMPT = Int32Array.of(1, 2, 3)
const COUNT = 6
const LAYERS = 2
const HEADS = 4

/** What one tap showed. */
interface Seen {
  readonly name: string
  readonly shape: readonly number[]
  readonly sums: readonly number[]
}

for (const [name, model] of Object.entries(models)) {
  test(`A1 ${name}: attention weights of a generation are rows that sum to 1, and watching changes nothing`, async t => {
    for (const engine of [referenceEngine(), wasmEngine()]) {
      const run = { model, parameters: parametersFor(model, engine), tokenizer }
      const base = live(engine)
      const options = generationOptions({ tokens: COUNT, seed: 3 })
      const plain = await all(generate(run, PROMPT, options))
      const { launches } = engine.counter

      const watch = taps()
      const watched$ = generate(run, PROMPT, { ...options, taps: watch })
      t.deepEqual(await all(watched$), plain, `${engine.name}: unwatched, the same tokens, texts and probabilities`)
      t.equal(engine.counter.launches, 2 * launches, `${engine.name}: and no kernel more`)

      const seen: Seen[] = []
      const subscription = watch.tapped$.subscribe(({ name, value }) => {
        const [keys = 1] = value.shape.slice(-1)
        const weights = Array.from(readNow(value))
        const row = (i: number) => weights.slice(i * keys, (i + 1) * keys)
        const sums = Array.from({ length: value.size / keys }, (_, i) => row(i).reduce((sum, w) => sum + w, 0))
        seen.push({ name, shape: value.shape, sums: weights.every(w => w >= 0 && w <= 1) ? sums : [] })
      })
      t.deepEqual(await all(watched$), plain, `${engine.name}: watched, the same tokens, texts and probabilities`)
      subscription.unsubscribe()
      const expected = Array.from({ length: COUNT }, (_, step) => {
        const [queries, keys] = step === 0 ? [PROMPT.length, PROMPT.length] : [1, PROMPT.length + step]
        return Array.from({ length: LAYERS }, () => [1, HEADS, queries, keys])
      }).flat()
      t.deepEqual(
        seen.map(({ shape }) => shape),
        expected,
        `${engine.name}: (batch, heads, queries, keys) of each layer and pass`,
      )
      const names = new Set(seen.map(one => one.name))
      t.equal(names.size, LAYERS, [...names].join(', '))
      const sums = seen.flatMap(one => one.sums)
      t.ok(
        sums.length > 0 && sums.every(sum => Math.abs(sum - 1) <= 16 * 2 ** -24),
        `${engine.name}: every row sums to 1 (${sums.length} rows)`,
      )
      t.notOk(
        sums.every(sum => Math.abs(sum / 2 - 1) <= 16 * 2 ** -24),
        'negative control: half a row does not',
      )
      t.equal(live(engine), base, `${engine.name}: S15 nothing is left`)

      const count = seen.length
      t.deepEqual(idsOf(await all(watched$)), idsOf(plain))
      t.equal(seen.length, count, `${engine.name}: nothing is shown after unsubscribing`)
    }
    t.end()
  })
}

test('taps may be watched from the middle of a generation', async t => {
  const engine = wasmEngine()
  const model = models.gpt
  if (model === undefined) return t.end('no gpt')
  const watch = taps()
  const run = { model, parameters: parametersFor(model, engine), tokenizer }
  const seen: number[] = []
  let step = 0
  await new Promise<void>((resolve, reject) => {
    generate(run, PROMPT, { ...generationOptions({ tokens: COUNT }), taps: watch }).subscribe({
      next: () => {
        if (++step === 3) watch.tapped$.subscribe(() => seen.push(step))
      },
      error: reject,
      complete: resolve,
    })
  })
  t.deepEqual([...new Set(seen)], [3, 4, 5], 'the passes after the third token are shown')
  t.end()
})

test('taps while training: the weights are shown, the gradient keeps its bits', t => {
  const engine = wasmEngine()
  const model = models.gpt
  if (model === undefined) return t.end('no gpt')
  const parameters = parametersFor(model, engine)
  const batch = randomWindows(
    Int32Array.from({ length: 40 }, (_, i) => i % 11),
    { batch: 2, block: 5 },
    key(1),
  )(0)
  const shapes: (readonly number[])[] = []
  const gradients = [null, (_: string, weights: Tensor) => shapes.push(weights.shape)].map(tap =>
    scope(() => {
      const { gradient } = gradientOf(everyLogits(model), parameters, batch, key(2), tap)
      return Object.values(gradient).flatMap(x => Array.from(readNow(x)))
    }),
  )
  t.deepEqual(shapes, Array(LAYERS).fill([2, HEADS, 5, 5]), 'weights of each layer, (batch, heads, queries, keys)')
  t.deepEqual(gradients[1], gradients[0], 'the same gradient, watched or not')
  t.end()
})
