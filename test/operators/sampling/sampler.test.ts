import fc from 'fast-check'
import test from 'tape'
import {
  greedy,
  gumbelMax,
  logProbability,
  processors,
  repetitionPenalty,
  type Sampled,
  type SamplerOptions,
  type SamplerState,
  sample,
  sampler,
  topK,
} from '../../../operators/sampling/index.ts'
import { orThrow } from '../../../src/codec/decode.ts'
import { InputError } from '../../../src/errors.ts'
import { fold, key, uniform64At } from '../../../src/random.ts'
import { flatten, unflatten } from '../../../src/state.ts'
import { G3, softmax } from '../../laws/sampling.ts'
import { breaks, holds } from '../../property.ts'

const LOGITS = [0.5, -1, 2, -Infinity, 1.5, 0]
/** 99.9 % quantile of χ² with 4 degrees of freedom. */
const BOUND = 18.47
const DRAWS = 20000

/** A deterministic model of 6 tokens, and its run under a sampler from a state. */
const model = (ids: readonly number[]) =>
  Float64Array.from({ length: 6 }, (_, i) => 2 * Math.sin(3 * i + ids.reduce((sum, id, at) => sum + id * (at + 1), 0)))
const generate = (options: SamplerOptions, n: number, from?: { ids: readonly number[]; state: SamplerState }) => {
  const machine = sampler(options)
  let state = from?.state ?? machine.init()
  const ids = [...(from?.ids ?? [])]
  const all: Sampled[] = []
  for (let i = 0; i < n; i++) {
    const [sampled, next] = machine.step(state, model(ids))
    all.push(sampled)
    ids.push(sampled.token)
    state = next
  }
  return { all, ids, state }
}

test(`G3 ${G3.name}`, t => {
  const logits = Float64Array.from(LOGITS)
  const seed = key(42)
  t.ok(
    G3.draws(i => sample(logits, uniform64At(seed, i)), LOGITS, DRAWS, BOUND),
    'inverse distribution function',
  )
  t.ok(
    G3.draws(i => gumbelMax(logits, fold(seed, i)), LOGITS, DRAWS, BOUND),
    'Gumbel-max',
  )
  const machine = sampler({ key: seed, window: 0 })
  t.ok(
    G3.draws(i => machine.step({ key: seed, step: i, previous: [] }, logits)[0].token, LOGITS, DRAWS, BOUND),
    'the sampler, one key a step',
  )
  const biased = Float64Array.from(LOGITS, (x, i) => (i === 0 ? x + 0.1 : x))
  t.notOk(
    G3.draws(i => sample(biased, uniform64At(seed, i)), LOGITS, DRAWS, BOUND),
    'negative control: a logit 0.1 off',
  )
  t.notOk(
    G3.draws(i => gumbelMax(logits, fold(seed, i % 50)), LOGITS, DRAWS, BOUND),
    'negative control: keys used again',
  )
  const uniforms = fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true })
  holds(
    t,
    'the inverse: cumulative probability crosses u at the token',
    fc.property(uniforms, u => {
      const token = sample(logits, u)
      const below = softmax(LOGITS)
        .slice(0, token)
        .reduce((a, b) => a + b, 0)
      return LOGITS[token] > -Infinity && below <= u + 1e-12 && u <= below + softmax(LOGITS)[token] + 1e-12
    }),
  )
  t.end()
})

test('G3 replay: a sampler continues from any token, through a stored state, as if it had not stopped', t => {
  const options = {
    key: key(7),
    processor: processors({ temperature: 1.3, topK: 5, repetitionPenalty: 1.2 }),
    previous: [3, 1],
  }
  holds(
    t,
    'resumed',
    fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }), (n, m) => {
      const whole = generate(options, n + m)
      const half = generate(options, n)
      const { tensors, plain } = flatten(half.state)
      const stored: unknown = JSON.parse(JSON.stringify(plain))
      const state = orThrow(unflatten(sampler(options).codec, tensors, stored, 'sampler.json'))
      const rest = generate(options, m, { ids: half.ids, state })
      return JSON.stringify([...half.all, ...rest.all]) === JSON.stringify(whole.all)
    }),
    { numRuns: 40 },
  )
  breaks(
    t,
    'a sampler that begins its keys anew',
    fc.property(fc.integer({ min: 1, max: 20 }), n => {
      const whole = generate(options, n + 20)
      const half = generate(options, n)
      const rest = generate(options, 20, { ids: half.ids, state: { ...half.state, step: 0 } })
      return JSON.stringify([...half.all, ...rest.all]) === JSON.stringify(whole.all)
    }),
  )
  t.end()
})

test('L7 logProbability is of the raw logits, whatever the processors; it adds up over all texts to 1', t => {
  const { all, ids } = generate({ key: key(3), processor: processors({ temperature: 0.2, topK: 2, topP: 0.5 }) }, 20)
  const expected = all.map((_, i) => Math.log(softmax(Array.from(model(ids.slice(0, i))))[ids[i]]))
  t.ok(
    all.every(({ logProbability }, i) => Math.abs(logProbability - expected[i]) < 1e-12),
    'the log softmax of the model',
  )
  const total = (prefix: readonly number[], n: number): number => {
    if (n === 0) return 1
    const logits = model(prefix)
    return Array.from(logits).reduce(
      (sum, _, id) => sum + Math.exp(logProbability(logits, id)) * total([...prefix, id], n - 1),
      0,
    )
  }
  t.ok(Math.abs(total([], 4) - 1) < 1e-12, 'all texts of 4 tokens')
  const tempered = all.every(({ token }, i) => {
    const sharp = model(ids.slice(0, i)).map(x => x / 0.2)
    return Math.abs(logProbability(sharp, token) - expected[i]) < 1e-12
  })
  t.notOk(tempered, 'negative control: that of the processed logits is another number')
  t.end()
})

test('sampler: greedy, previous, window, and inputs untouched', t => {
  const logits = Float32Array.from([1, 5, 4.9])
  const machine = sampler({ key: key(1), greedy: true, processor: repetitionPenalty(2), previous: [1], window: 1 })
  const [first, state] = machine.step(machine.init(), logits)
  t.equal(first.token, 2, 'the prompt counts for the penalty')
  t.deepEqual(state, { key: key(1), step: 1, previous: [2] }, 'a bounded window')
  t.equal(machine.step(state, logits)[0].token, 1, 'ids that left the window are free again')
  t.deepEqual(Array.from(logits), Array.from(Float32Array.from([1, 5, 4.9])), 'the logits are only read')
  const all = sampler({ key: key(1), processor: topK(1), previous: [0, 0] })
  t.deepEqual(all.step(all.init(), logits)[1].previous, [0, 0, 1], 'without a window all ids')
  t.equal(all.step(all.init(), logits)[0].token, greedy(logits), 'k = 1 is greedy')
  t.throws(() => sampler({ key: key(1), window: -1 }), InputError)
  t.throws(() => logProbability(logits, 3), /token: expected an id in \[0, 3\), found 3/)
  t.end()
})
