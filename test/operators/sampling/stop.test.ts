import fc from 'fast-check'
import test from 'tape'
import {
  anyOf,
  endOfSequence,
  type Generated,
  maximumTokens,
  neverStop,
  type StopRule,
  stopAtText,
  stopStrings,
  stopWhen,
} from '../../../operators/sampling/index.ts'
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { InputError } from '../../../src/errors.ts'
import { G6, stopsAfter } from '../../laws/sampling.ts'
import { breaks, holds } from '../../property.ts'

/** Texts over two letters and a pair of surrogates, so that strings overlap themselves and each other. */
const text = fc.array(fc.constantFrom('a', 'b', '😀'), { maxLength: 4 }).map(letters => letters.join(''))
const texts = fc.array(text, { maxLength: 12 })
const strings = fc.array(
  text.filter(s => s.length > 0),
  { maxLength: 3 },
)
const runs: fc.Arbitrary<readonly Generated[]> = fc.array(fc.record({ token: fc.integer({ min: 0, max: 5 }), text }), {
  maxLength: 12,
})

const show =
  (stops: readonly string[]) =>
  (pieces: readonly string[]): string => {
    const machine = stopStrings(stops)
    let state = machine.init()
    let shown = ''
    for (const piece of pieces) {
      const [output, next] = machine.step(state, piece)
      shown += output.text
      state = next
    }
    return shown + machine.flush(state)
  }

test(`G6 ${G6.name}`, t => {
  const numbers = fc.integer({ min: 1, max: 12 })
  holds(
    t,
    'union',
    fc.property(runs, numbers, strings, fc.integer({ min: 0, max: 5 }), (generated, n, stops, end) => {
      const x = anyOf(maximumTokens(n), endOfSequence([end]))
      const y = stopAtText(stops)
      return G6.commutes({ xy: anyOf(x, y), yx: anyOf(y, x) }, x, y, generated)
    }),
  )
  const second = <S, T>(x: StopRule<S>, y: StopRule<T>): StopRule<readonly [S, T]> => ({
    codec: anyOf(x, y).codec,
    init: () => [x.init(), y.init()],
    step: ([s, u], generated) => {
      const [, next] = x.step(s, generated)
      const [stop, other] = y.step(u, generated)
      return [stop, [next, other]]
    },
  })
  breaks(
    t,
    'the last rule wins',
    fc.property(runs, numbers, fc.integer({ min: 0, max: 5 }), (generated, n, end) => {
      const [x, y] = [maximumTokens(n), endOfSequence([end])]
      return G6.commutes({ xy: second(x, y), yx: second(y, x) }, x, y, generated)
    }),
  )
  holds(
    t,
    'neverStop is the unit',
    fc.property(runs, strings, (generated, stops) => {
      const rule = stopAtText(stops)
      const end = stopsAfter(rule, generated)
      return (
        stopsAfter(anyOf(neverStop, rule), generated) === end && stopsAfter(anyOf(), generated) === generated.length
      )
    }),
  )
  holds(
    t,
    'a run of n is a prefix of a run of n + 1',
    fc.property(runs, numbers, (generated, n) => {
      const [short, long] = [stopsAfter(maximumTokens(n), generated), stopsAfter(maximumTokens(n + 1), generated)]
      return short === Math.min(n, generated.length) && long === Math.min(n + 1, generated.length)
    }),
  )
  holds(
    t,
    'stop strings across pieces',
    fc.property(texts, strings, (pieces, stops) => G6.shows(show(stops), pieces, stops)),
    { numRuns: 2000 },
  )
  const piecewise = (stops: readonly string[]) => (pieces: readonly string[]) => {
    const last = pieces.findIndex(piece => stops.some(stop => piece.includes(stop)))
    return pieces.slice(0, last < 0 ? pieces.length : last).join('')
  }
  breaks(
    t,
    'looking at each piece alone',
    fc.property(texts, strings, (pieces, stops) => G6.shows(piecewise(stops), pieces, stops)),
  )
  t.end()
})

test('stop strings: what is shown, and when', t => {
  const { init, step, flush } = stopStrings(['\nUser:', 'END'])
  const [a, s1] = step(init(), 'Hello\n')
  t.deepEqual(a, { text: 'Hello', stopped: false }, 'a suffix that may begin one is held')
  const [b, s2] = step(s1, 'Us')
  t.deepEqual([b.text, flush(s2)], ['', '\nUs'], 'flushed if the text ends here')
  t.deepEqual(step(s2, 'ed')[0], { text: '\nUsed', stopped: false }, 'let go once decided')
  const [c, s3] = step(s2, 'er: hi')
  t.deepEqual([c, flush(s3)], [{ text: '', stopped: true }, ''], 'the stop string and what follows is not shown')
  t.deepEqual(step(s3, 'more')[0], { text: '', stopped: true }, 'stopped stays')
  t.deepEqual(stopStrings([]).step(init(), 'abc')[0], { text: 'abc', stopped: false }, 'none: all passes at once')
  t.deepEqual(decodeOrThrow(stopStrings([]).codec, JSON.parse(JSON.stringify(s2)), 'state'), s2, 'the state is plain')
  t.throws(() => stopStrings(['a', '']), InputError)
  t.throws(() => maximumTokens(0), InputError)
  t.equal(
    stopsAfter(
      stopWhen(({ text }) => text === 'b'),
      [
        { token: 0, text: 'a' },
        { token: 1, text: 'b' },
      ],
    ),
    2,
  )
  t.end()
})
