import fc from 'fast-check'
import test from 'tape'
import { crossEntropy } from '../../operators/loss/crossEntropy.ts'
import { type DecoderState, decoder, fork, select, truncate } from '../../pipelines/decoder.ts'
import { everyHidden, everyLogits, type LanguageModel, nextLogits } from '../../pipelines/languageModel.ts'
import { compose } from '../../src/compose.ts'
import { context, type Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../../src/tensor/tokens.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { models, parametersFor, VOCABULARY } from './models.ts'

const CAPACITY = 24
const ids = (minLength: number, maxLength = 8) => fc.array(fc.nat(VOCABULARY - 1), { minLength, maxLength })
const RUNS = { numRuns: 15 }

type Numbers = readonly number[]

/** Logits of every position of one sequence, flat. */
const full = (model: LanguageModel, parameters: Named, sequence: Numbers): number[] =>
  scope(() => Array.from(readNow(everyLogits(model)(context(parameters), tokens(sequence)).value)))

/** Feeds chunks one after another; logits of every position, flat, and the last state. */
const stepped = (model: LanguageModel, parameters: Named, chunks: readonly Numbers[], from?: DecoderState) => {
  const machine = decoder(everyLogits(model), { parameters, capacity: CAPACITY })
  let state = from ?? machine.init()
  const logits: number[] = []
  for (const chunk of chunks.filter(part => part.length > 0))
    state = scope(() => {
      const [out, next] = machine.step(state, tokens(chunk))
      logits.push(...readNow(out))
      return next
    })
  return { logits, state }
}

const release = ({ caches }: DecoderState): void => {
  for (const cache of Object.values(caches)) cache.release()
}

const close = (x: Numbers, y: Numbers, tolerance: number): boolean =>
  x.length === y.length && x.every((a, i) => Math.abs(a - (y[i] ?? Number.NaN)) <= tolerance * (1 + Math.abs(a)))
const same = (x: Numbers, y: Numbers): boolean => x.length === y.length && x.every((a, i) => Object.is(a, y[i]))

/** Cuts a sequence at the given places. */
const cut = (sequence: Numbers, places: Numbers): Numbers[] => {
  const at = [...new Set(places.map(place => place % (sequence.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((start, i) => sequence.slice(start, [...at, sequence.length][i]))
}

const engines: Readonly<Record<string, () => Engine>> = {
  reference: referenceEngine,
  wasm: wasmEngine,
  'wasm, two threads': () => wasmEngine({ threads: 2, splitFrom: 0 }),
}
/** Reference: rounding only. wasm: nothing at all, since no row's value depends on its neighbours. */
const equal: Readonly<Record<string, (x: Numbers, y: Numbers) => boolean>> = {
  reference: (x, y) => close(x, y, 1e-9),
  wasm: same,
  'wasm, two threads': same,
}

for (const [name, model] of Object.entries(models)) {
  for (const [engineName, open] of Object.entries(engines)) {
    const engine = open()
    const parameters = parametersFor(model, engine)
    const agree = equal[engineName] ?? same
    const live = () => engine.counter.allocated - engine.counter.freed
    const base = live()

    test(`${name} on ${engineName}: L1, L3-L6`, t => {
      holds(
        t,
        'L1 batching invariance: f(batch)[i] = f([x_i])',
        fc.property(
          fc.integer({ min: 1, max: 6 }).chain(time => fc.array(ids(time, time), { minLength: 1, maxLength: 5 })),
          rows => {
            const time = rows[0]?.length ?? 0
            const batched = scope(() =>
              Array.from(
                readNow(everyLogits(model)(context(parameters), tokens(rows.flat(), [rows.length, time])).value),
              ),
            )
            return rows.every((row, i) =>
              agree(full(model, parameters, row), batched.slice(i * time * VOCABULARY, (i + 1) * time * VOCABULARY)),
            )
          },
        ),
        RUNS,
      )
      breaks(
        t,
        'L1 fails where rows of a batch read each other',
        fc.property(ids(2, 2), ids(2, 2), (row, other) =>
          // One sequence of both rows: what follows the first sees it.
          agree(full(model, parameters, other), full(model, parameters, [...row, ...other]).slice(2 * VOCABULARY)),
        ),
        RUNS,
      )
      holds(
        t,
        'L3 cached steps = full forward; L4 any chunks = one',
        fc.property(ids(1), fc.array(fc.nat(), { maxLength: 4 }), (sequence, places) => {
          const whole = full(model, parameters, sequence)
          const single = stepped(
            model,
            parameters,
            sequence.map(id => [id]),
          )
          const chunked = stepped(model, parameters, cut(sequence, places))
          release(single.state)
          release(chunked.state)
          return agree(whole, single.logits) && agree(whole, chunked.logits)
        }),
        RUNS,
      )
      breaks(
        t,
        'L3 fails for a decoder that forgets its offset',
        fc.property(ids(3), sequence => {
          const machine = decoder(everyLogits(model), { parameters, capacity: CAPACITY })
          return scope(() => {
            const [first, state] = machine.step(machine.init(), tokens(sequence.slice(0, 2)))
            const [rest] = machine.step({ ...state, length: 0 }, tokens(sequence.slice(2)))
            return agree(full(model, parameters, sequence), [...readNow(first), ...readNow(rest)])
          })
        }),
        RUNS,
      )
      holds(
        t,
        'L5 rollback and fork',
        fc.property(ids(1), ids(1), ids(1), (prompt, one, other) => {
          const start = stepped(model, parameters, [prompt])
          const forked = fork(start.state)
          const left = stepped(model, parameters, [one], start.state)
          const right = stepped(model, parameters, [other], forked)
          const back = stepped(model, parameters, [other], truncate(left.state, prompt.length))
          release(right.state)
          release(back.state)
          const tail = (sequence: Numbers, from: number) => full(model, parameters, sequence).slice(from * VOCABULARY)
          return (
            agree(left.logits, tail([...prompt, ...one], prompt.length)) &&
            agree(right.logits, tail([...prompt, ...other], prompt.length)) &&
            agree(back.logits, right.logits)
          )
        }),
        RUNS,
      )
      /** Two rows that begin alike and part; those of `order` go on by the same ids. */
      const selected = (order: readonly number[], [a = 0, b = 0, ...next]: Numbers, claimed = order) =>
        scope(() => {
          const machine = decoder(everyLogits(model), { parameters, capacity: CAPACITY })
          const [, begun] = machine.step(machine.init(), tokens([a]))
          const [, parted] = machine.step(select(begun, [0, 0]), tokens([a, b], [2, 1]))
          const [logits] = machine.step(
            select(parted, order),
            tokens(
              order.flatMap(() => next),
              [order.length, next.length],
            ),
          )
          const alone = claimed.flatMap(row =>
            full(model, parameters, [a, row === 0 ? a : b, ...next]).slice(2 * VOCABULARY),
          )
          return agree(alone, Array.from(readNow(logits)))
        })
      holds(
        t,
        'L5 selected rows of a batch go on as alone',
        fc.property(fc.array(fc.nat(1), { minLength: 1, maxLength: 4 }), ids(3, 6), (order, sequence) =>
          selected(order, sequence),
        ),
        RUNS,
      )
      breaks(
        t,
        'L5 fails for rows in another order',
        fc.property(ids(3, 6), sequence => selected([0, 1], sequence, [1, 0])),
        RUNS,
      )
      breaks(
        t,
        'L5 fails for a rollback one position short',
        fc.property(ids(1), ids(1), (prompt, other) => {
          const { state } = stepped(model, parameters, [prompt, other])
          const back = stepped(model, parameters, [other], truncate(state, prompt.length + 1))
          const again = full(model, parameters, [...prompt, ...other]).slice(prompt.length * VOCABULARY)
          release(back.state)
          return agree(back.logits, again)
        }),
        RUNS,
      )
      holds(
        t,
        'L6 teacher forcing = autoregression',
        fc.property(ids(1, 4), prompt => {
          const greedy = (logits: Numbers) => logits.indexOf(Math.max(...logits))
          let { logits, state } = stepped(model, parameters, [prompt])
          const closed: number[] = [...logits]
          const sequence = [...prompt]
          for (let n = 0; n < 4; n++) {
            const next = greedy(logits.slice(-VOCABULARY))
            sequence.push(next)
            ;({ logits, state } = stepped(model, parameters, [[next]], state))
            closed.push(...logits)
          }
          release(state)
          return agree(full(model, parameters, sequence), closed)
        }),
        RUNS,
      )
      breaks(
        t,
        'L6 fails where other tokens are replayed',
        fc.property(ids(2), sequence => {
          const { logits, state } = stepped(model, parameters, [sequence])
          release(state)
          const [first = 0, ...rest] = sequence
          return agree(full(model, parameters, [(first + 1) % VOCABULARY, ...rest]), logits)
        }),
        RUNS,
      )
      const consumed = stepped(model, parameters, [[1, 2]])
      const after = stepped(model, parameters, [[3]], consumed.state)
      t.throws(() => stepped(model, parameters, [[3]], consumed.state), /consumed/, 'stepping a consumed state throws')
      release(after.state)
      t.equal(live(), base, 'S15 nothing is left')
      t.end()
    })
  }

  test(`${name}: A8, L2, L7, D3, D4`, t => {
    const engine = referenceEngine()
    const parameters = parametersFor(model, engine)
    const m = everyLogits(model)
    holds(
      t,
      'A8 causality and L2 right padding: what follows a position changes nothing before it',
      fc.property(ids(1), ids(1), (sequence, pads) => {
        const real = full(model, parameters, sequence)
        return same(real, full(model, parameters, [...sequence, ...pads]).slice(0, real.length))
      }),
      RUNS,
    )
    const logProbability = (sequence: Numbers): number => {
      const logits = full(model, parameters, sequence)
      return sequence.slice(1).reduce((sum, id, t) => {
        const row = logits.slice(t * VOCABULARY, (t + 1) * VOCABULARY)
        return sum + (row[id] ?? 0) - Math.log(row.reduce((z, x) => z + Math.exp(x), 0))
      }, 0)
    }
    holds(
      t,
      'L7 chain rule: the log-probabilities of the tokens sum to -loss n',
      fc.property(ids(2), sequence => {
        const [inputs, targets] = [tokens(sequence.slice(0, -1)), tokens(sequence.slice(1))]
        const loss = scope(() =>
          Number(readNow(compose(m, crossEntropy(targets))(context(parameters), inputs).value)[0]),
        )
        return close([logProbability(sequence)], [-loss * targets.ids.length], 1e-9)
      }),
      RUNS,
    )
    t.notOk(
      close([logProbability([1, 2, 3])], [logProbability([3, 2, 1])], 1e-9),
      'L7 negative control: the order of the tokens counts',
    )
    breaks(
      t,
      'A8 what comes before a position does change it',
      fc.property(ids(2), ([first = 0, ...rest]) => {
        const after = (id: number) => full(model, parameters, [id, ...rest]).slice(VOCABULARY)
        return same(after(first), after((first + 1) % VOCABULARY))
      }),
      RUNS,
    )
    const every = Array.from({ length: VOCABULARY ** 2 }, (_, i) => [3, Math.floor(i / VOCABULARY), i % VOCABULARY])
    t.ok(
      close([every.reduce((sum, sequence) => sum + Math.exp(logProbability(sequence)), 0)], [1], 1e-9),
      'L7 all continuations of length 2 sum to 1',
    )
    const input = tokens([1, 2, 3, 4, 5, 6], [2, 3])
    scope(() => {
      const alone = m(context(parameters, { differentiable: false }), input)
      const whole = m(context(parameters), input)
      t.ok(
        same(Array.from(readNow(alone.value)), Array.from(readNow(whole.value))),
        'without a gradient: the same bits',
      )
      t.ok(alone.saved.length === 0 && whole.saved.length > 0, 'and nothing saved')
      t.throws(() => alone.pullback(whole.value), /differentiable: false/, 'its pullback says why it cannot')
    })
    const found = finiteDifference(m, context(parameters), input)
    t.ok(found.ratio <= 1, `D4 finite differences of every parameter (${found.at})`)
    const twice = pullbackTwice(m, context(parameters), input)
    t.ok(twice.ratio <= 1, `D3 pullback linear and callable twice (${twice.at})`)
    t.ok(
      close(
        scope(() => Array.from(readNow(nextLogits(model)(context(parameters), tokens([4, 5, 6])).value))),
        full(model, parameters, [4, 5, 6]).slice(-VOCABULARY),
        1e-12,
      ),
      'the last logits are the last of all',
    )
    const flopsOf = (operator: Operator<Tokens, Tensor>, ids: Numbers): number => {
      const before = engine.counter.flops
      scope(() => operator(context(parameters, { differentiable: false }), tokens(ids)))
      return engine.counter.flops - before
    }
    const tail = flopsOf(everyHidden(model), [4]) - flopsOf(model.trunk, [4])
    const head = flopsOf(everyLogits(model), [4]) - flopsOf(everyHidden(model), [4])
    t.ok(tail > 0 && head > 0)
    t.equal(
      flopsOf(nextLogits(model), [4, 5, 6]),
      flopsOf(model.trunk, [4, 5, 6]) + tail + head,
      'one position passes the tail',
    )
    t.end()
  })
}

test('L10 weight tying: the tied gradient is the sum of those of embedding and head', t => {
  const engine = referenceEngine()
  const model = models.gpt
  if (model === undefined) return t.end('no gpt')
  const parameters = parametersFor(model, engine)
  const input = tokens([1, 2, 3, 4], [2, 2])
  const gradient = (head: Named, body: Named): Named => {
    const hidden = everyHidden(model)(context(body), input)
    const logits = model.head(context(head), hidden.value)
    const [ofHead, dHidden] = logits.pullback(
      tensor(
        engine,
        logits.value.shape,
        Float64Array.from({ length: logits.value.size }, (_, i) => Math.sin(i)),
      ),
    )
    const [ofBody] = hidden.pullback(dHidden)
    return {
      head: ofHead['wte.weight'] ?? tensor(engine, [0], []),
      body: ofBody['wte.weight'] ?? tensor(engine, [0], []),
    }
  }
  const parts = gradient(parameters, parameters)
  const whole = everyLogits(model)(context(parameters), input)
  const [tied] = whole.pullback(
    tensor(
      engine,
      whole.value.shape,
      Float64Array.from({ length: whole.value.size }, (_, i) => Math.sin(i)),
    ),
  )
  const read = (x: Named, path: string): number[] => (x[path] === undefined ? [] : Array.from(readNow(x[path])))
  const sum = read(parts, 'head').map((x, i) => x + (read(parts, 'body')[i] ?? Number.NaN))
  t.ok(close(read(tied, 'wte.weight'), sum, 1e-12), 'L10 tied = head + embedding')
  t.notOk(close(read(tied, 'wte.weight'), read(parts, 'head'), 1e-6), 'negative control: the head alone is not all')
  t.end()
})
