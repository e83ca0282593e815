/** Laws of several texts from one prompt: each is what it is alone, together they cost the steps of one, and nothing is left. */
import fc from 'fast-check'
import { Subject, take } from 'rxjs'
import test from 'tape'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { type Generated, type GenerateOptions, type GenerationModel, generate } from '../../pipelines/generate.ts'
import { type GeneratedSample, type GenerateSamplesOptions, generateSamples } from '../../pipelines/generateSamples.ts'
import type { LanguageModel } from '../../pipelines/languageModel.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { gpuEngine } from '../../src/engine/gpu/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { InputError } from '../../src/errors.ts'
import { key, split } from '../../src/random.ts'
import { iterate } from '../../streams/index.ts'
import { same, settle } from '../laws/streams.ts'
import { models, parametersFor, VOCABULARY } from './models.ts'
import { all, counting, idsOf, live, readingLate, scripted, textOf } from './support.ts'

const tokenizer = trainCharacterTokenizer(['abcdefghijk'])
const PROMPT = Int32Array.of(1, 2, 3, 4, 5)

const counted = (engine: Engine, model: LanguageModel) => {
  const { model: watched, passes } = counting(model)
  const run: GenerationModel = { model: watched, parameters: parametersFor(model, engine), tokenizer }
  passes.length = 0 // Declaring the parameters ran it once.
  return { run, passes }
}

const plain = ({ token, text, logProbability, position }: GeneratedSample): Generated => ({
  ...{ token, text, logProbability, position },
})
/** The texts of a run, by sample. */
const texts = (emitted: readonly GeneratedSample[], samples: number): Generated[][] =>
  Array.from({ length: samples }, (_, i) => emitted.filter(({ sample }) => sample === i).map(plain))

const alone = async (run: GenerationModel, prompt: Int32Array, { samples, ...options }: GenerateSamplesOptions) => {
  const found: Generated[][] = []
  for (const own of split(key(options.seed ?? 0), samples))
    found.push(await all(generate(run, prompt, { ...options, key: own })))
  return found
}

const samplers: Readonly<Record<string, GenerateOptions>> = {
  greedy: { greedy: true },
  drawn: {},
  'drawn from the best, penalized': { temperature: 1.4, topK: 7, topP: 0.95, minP: 0.01, repetitionPenalty: 1.3 },
  'drawn, with stop strings': { stop: ['ba', 'k', 'gg'] },
  'drawn, with end ids': { endIds: [0, 3] },
}

for (const [name, model] of Object.entries(models))
  test(`L1, L4 ${name}: each of several texts is the one that its key gives alone, bit for bit`, async t => {
    for (const engine of [wasmEngine(), wasmEngine({ threads: 2, splitFrom: 0 }), readingLate(wasmEngine())]) {
      const { run, passes } = counted(engine, model)
      const base = live(engine)
      for (const [how, own] of Object.entries(samplers)) {
        const law = fc.asyncProperty(
          fc.array(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 12 }),
          fc.integer({ min: 1, max: 7 }),
          fc.integer({ min: 1, max: 14 }),
          fc.integer({ min: 1, max: 13 }),
          fc.nat(),
          async (ids, samples, tokens, prefillChunk, seed) => {
            const options = { tokens, seed, prefillChunk, ...own, samples }
            const prompt = Int32Array.from(ids)
            passes.length = 0
            const emitted = await all(generateSamples(run, prompt, options))
            const steps = passes.length
            const expected = await alone(run, prompt, options)
            const longest = Math.max(...expected.map(text => text.length))
            return (
              same(texts(emitted, samples), expected) &&
              steps === Math.ceil(ids.length / prefillChunk) + longest - 1 &&
              expected.every((text, i) =>
                emitted.every(
                  ({ sample, last, position }) => sample !== i || last === (position === text.at(-1)?.position),
                ),
              )
            )
          },
        )
        const result = await fc.check(law, { numRuns: 8 })
        t.notOk(result.failed, result.failed ? fc.defaultReportMessage(result) : `${how}: ${result.numRuns} prompts`)
      }
      t.equal(live(engine), base, 'S15 nothing is left')
    }
    const { run } = counted(wasmEngine(), model)
    const options = { tokens: 12, samples: 5, seed: 3 }
    const [five, two] = [
      texts(await all(generateSamples(run, PROMPT, options)), 5),
      texts(await all(generateSamples(run, PROMPT, { ...options, samples: 2 })), 2),
    ]
    t.deepEqual(two, five.slice(0, 2), 'a text does not depend on how many are beside it')
    t.equal(new Set(five.map(text => idsOf(text).join())).size, 5, 'negative control: they are five texts, not one')
    t.end()
  })

test('S8 n tokens of each of several texts cost n passes and the kernels of one text; who has ended leaves the batch', async t => {
  for (const [name, model] of Object.entries(models)) {
    const engine = wasmEngine()
    const { run, passes } = counted(engine, model)
    const cost = async (work: () => Promise<unknown>) => {
      passes.length = 0
      const before = engine.counter.launches
      await work()
      return { passes: [...passes], launches: engine.counter.launches - before }
    }
    const layers = 2
    for (const samples of [1, 2, 8]) {
      const one = await cost(() => all(generate(run, PROMPT, { tokens: 9 })))
      const many = await cost(() => all(generateSamples(run, PROMPT, { tokens: 9, samples })))
      t.deepEqual(many.passes, [PROMPT.length, ...Array(8).fill(samples)], `${name}: ${samples} rows a pass`)
      const repeating = samples === 1 ? 0 : 2 * layers
      t.equal(many.launches, one.launches + repeating, `kernels: those of one, and ${repeating} to repeat the caches`)
    }
    const ending = { tokens: 15, samples: 6, seed: 5, endIds: [0, 1, 2] }
    let emitted: GeneratedSample[] = []
    const shrinking = await cost(async () => {
      emitted = await all(generateSamples(run, PROMPT, ending))
    })
    const lengths = texts(emitted, 6).map(text => text.length)
    t.deepEqual(
      shrinking.passes.slice(1),
      Array.from({ length: Math.max(...lengths) - 1 }, (_, i) => lengths.filter(length => length > i + 1).length),
      `${name}: texts of ${lengths} tokens`,
    )
    t.ok(new Set(lengths).size > 1, 'negative control: they end at different steps')
  }
  t.end()
})

test('S10, S15 unsubscribing at every token stops kernels and frees everything', async t => {
  const { gpt } = models
  if (gpt === undefined) return t.end('no gpt')
  for (const [name, engine] of [
    ['reference', referenceEngine()],
    ['wasm', wasmEngine()],
    ['wasm, reading late', readingLate(wasmEngine())],
    ['gpu.js webasm', gpuEngine({ mode: 'webasm' })],
  ] as const) {
    const { run } = counted(engine, gpt)
    const base = live(engine)
    // Texts end at different steps, so that it is cancelled beside every change of the batch too.
    const options = { tokens: 9, samples: 4, seed: 2, endIds: [0, 1] }
    const free = await all(generateSamples(run, PROMPT, options))
    t.equal(live(engine), base, `${name}: nothing is left at the end`)
    for (let n = 1; n <= free.length; n++) {
      const { seen, launches } = await new Promise<{ seen: GeneratedSample[]; launches: number }>(resolve => {
        const seen: GeneratedSample[] = []
        const subscription = generateSamples(run, PROMPT, options).subscribe(value => {
          seen.push(value)
          if (seen.length !== n) return
          subscription.unsubscribe()
          resolve({ seen, launches: engine.counter.launches })
        })
      })
      await settle(6)
      if (!same(seen, free.slice(0, n))) t.fail(`${name}: other values before unsubscribing at ${n}`)
      if (engine.counter.launches !== launches) t.fail(`${name}: kernels ran after unsubscribing at ${n}`)
      if (live(engine) !== base) t.fail(`${name}: ${live(engine) - base} storages left after unsubscribing at ${n}`)
    }
    t.pass(`${name}: at each of ${free.length} values`)
    let held = 0
    const running = generateSamples(run, PROMPT, options).subscribe(({ last }) => {
      if (!last) held = Math.max(held, live(engine) - base)
    })
    while (held === 0) await settle(1)
    t.ok(held > 0, `negative control, ${name}: a run that goes on holds its caches`)
    running.unsubscribe()
  }
  t.end()
})

test('S11 demand: one credit is one token of one text, and no pass runs while one is waiting', async t => {
  const { gpt } = models
  if (gpt === undefined) return t.end('no gpt')
  const engine = wasmEngine()
  const { run, passes } = counted(engine, gpt)
  const options = { tokens: 5, samples: 3, seed: 1 }
  const free = await all(generateSamples(run, PROMPT, options))
  const law = fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 }), async grants => {
    passes.length = 0
    const demand$ = new Subject<number>()
    const values: GeneratedSample[] = []
    let [granted, ok] = [0, true]
    const subscription = generateSamples(run, PROMPT, { ...options, demand$ }).subscribe(value => values.push(value))
    for (const grant of grants) {
      granted += grant
      demand$.next(grant)
      await settle(12)
      ok &&= values.length === Math.min(granted, free.length) && passes.length === Math.ceil(values.length / 3)
    }
    subscription.unsubscribe()
    return ok && same(values, free.slice(0, granted))
  })
  const result = await fc.check(law, { numRuns: 15 })
  t.notOk(result.failed, result.failed ? fc.defaultReportMessage(result) : `${result.numRuns} demands`)
  passes.length = 0
  t.deepEqual(await all(generateSamples(run, PROMPT, options).pipe(take(7))), free.slice(0, 7), 'take(7)')
  t.equal(passes.length, 3, 'cost three passes')
  passes.length = 0
  for await (const { sample } of iterate(demand$ => generateSamples(run, PROMPT, { ...options, demand$ }), 'each'))
    if (sample === 2) break
  await settle(5)
  t.equal(passes.length, 1, 'for await: leaving after the third value cost one pass')
  passes.length = 0
  const eager = generateSamples(run, PROMPT, options).subscribe()
  await settle(12)
  eager.unsubscribe()
  t.equal(passes.length, 5, 'negative control: without demand it runs freely')
  t.end()
})

test('G6 each text has its own stop rules: a -> b -> … -> k -> a', async t => {
  const engine = wasmEngine()
  const run = scripted(tokenizer, engine, token => (token + 1) % VOCABULARY)
  const stopped = await all(generateSamples(run, 'a', { tokens: 20, samples: 3, greedy: true, stop: ['def'] }))
  t.deepEqual(texts(stopped, 3).map(textOf), ['bc', 'bc', 'bc'], 'the texts end before the stop string')
  t.equal(stopped.length, 15, 'with the token that completes it')
  // Drawn from the two best, the texts part; those that meet the string are cut, the others go on.
  const options = { tokens: 30, samples: 6, temperature: 15, stop: ['c'], seed: 4 }
  const drawn = texts(await all(generateSamples(run, 'a', options)), 6)
  t.ok(
    drawn.every(text => !textOf(text).includes('c')),
    'no text shows it',
  )
  t.ok(new Set(drawn.map(text => text.length)).size > 2, `lengths ${drawn.map(text => text.length)}`)
  const free = texts(await all(generateSamples(run, 'a', { ...options, stop: [] })), 6)
  t.deepEqual(
    drawn.map(textOf),
    free.map(text => textOf(text).split('c')[0]),
    'each is cut where it would have come',
  )
  t.notDeepEqual(drawn, free, 'negative control: without the rule they go on')
  t.end()
})

test('samples: a number that is none is an InputError, as are prompts that generate refuses', t => {
  const run = scripted(tokenizer, wasmEngine(), token => token)
  const refuses = (samples: number, prompt: Int32Array, message: RegExp) => {
    try {
      generateSamples(run, prompt, { samples })
      t.fail('accepted')
    } catch (error) {
      t.ok(error instanceof InputError && message.test(error.message) && !error.message.includes('\n'), String(error))
    }
  }
  for (const samples of [0, -1, 1.5, Number.NaN, 5000])
    refuses(samples, PROMPT, /samples: expected an integer from 1 to 4096, found /)
  refuses(2, new Int32Array(), /prompt: expected at least one token, found none/)
  refuses(2, new Int32Array(1001), /prompt: 1001 tokens do not fit/)
  t.doesNotThrow(() => generateSamples(run, PROMPT, { samples: 4096 }), 'negative control: the most is accepted')
  t.end()
})
