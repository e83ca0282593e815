/** The laws of sampling, G1-G3, and of stop rules, G6, as predicates over any processor, draw or rule. */
import { composeProcessors, type Processor } from '../../operators/sampling/processor.ts'
import type { Generated, StopRule } from '../../operators/sampling/stop.ts'

type Logits = readonly number[]

/** A processor as a pure function: on a copy. */
export const applied = (processor: Processor, logits: Logits, previous: readonly number[] = []): Logits =>
  Array.from(processor(Float64Array.from(logits), previous))

const same = (x: readonly number[], y: readonly number[]) =>
  x.length === y.length && x.every((v, i) => Object.is(v, y[i]))

export const softmax = (logits: Logits): number[] => {
  const max = Math.max(...logits)
  const weights = logits.map(logit => Math.exp(logit - max))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map(weight => weight / sum)
}

export const support = (logits: Logits): number[] => logits.flatMap((logit, id) => (logit === -Infinity ? [] : [id]))

/** Ids from the most probable, ties by lower id: what the heap must agree with. */
export const ranked = (logits: Logits): number[] =>
  logits.map((_, id) => id).sort((x, y) => logits[y] - logits[x] || x - y)

export const G1 = {
  id: 'G1',
  name: 'processors are a monoid: the unit changes nothing, composition is associative; T = 1, k = V, p = 1, penalty 1 are units',
  unit: (processor: Processor, logits: Logits, previous: readonly number[]): boolean =>
    same(applied(processor, logits, previous), logits),
  associative: (
    f: Processor,
    g: Processor,
    h: Processor,
    compose: (f: Processor, g: Processor) => Processor,
    logits: Logits,
    previous: readonly number[],
  ): boolean => {
    const left = applied(compose(compose(f, g), h), logits, previous)
    return (
      same(left, applied(compose(f, compose(g, h)), logits, previous)) &&
      same(left, applied(composeProcessors(f, g, h), logits, previous))
    )
  },
}

export const G2 = {
  id: 'G2',
  name: 'top-k, top-p, min-p: what is kept is nested and renormalises to 1; the nucleus is the shortest with mass p',
  /** `smaller` keeps a part of what `larger` keeps, and neither changes a logit that it keeps. */
  nested: (smaller: Processor, larger: Processor, logits: Logits): boolean => {
    const [few, many] = [applied(smaller, logits), applied(larger, logits)]
    const kept = support(few)
    const sum = softmax(few).reduce((a, b) => a + b, 0)
    return (
      kept.length > 0 &&
      kept.every(id => few[id] === logits[id] && many[id] === logits[id]) &&
      Math.abs(sum - 1) < 1e-12
    )
  },
  /** Exactly the first `count` by rank. */
  ranks: (processor: Processor, logits: Logits, count: number): boolean =>
    same(
      support(applied(processor, logits)),
      ranked(logits)
        .slice(0, count)
        .sort((x, y) => x - y),
    ),
  nucleus: (processor: Processor, logits: Logits, p: number): boolean => {
    const probabilities = softmax(logits)
    const kept = support(applied(processor, logits))
    const order = ranked(logits)
    const mass = (count: number) => order.slice(0, count).reduce((sum, id) => sum + probabilities[id], 0)
    const prefix = same(
      kept,
      order.slice(0, kept.length).sort((x, y) => x - y),
    )
    return prefix && mass(kept.length) >= p - 1e-12 && mass(kept.length - 1) < p + 1e-12
  },
}

/** Pearson's statistic of counts against probabilities; categories without probability must have no count. */
export const chiSquare = (counts: readonly number[], probabilities: readonly number[]): number => {
  const n = counts.reduce((a, b) => a + b, 0)
  return counts.reduce((sum, count, i) => {
    const expected = n * probabilities[i]
    if (expected === 0) return count === 0 ? sum : Infinity
    return sum + (count - expected) ** 2 / expected
  }, 0)
}

export const G3 = {
  id: 'G3',
  name: 'inverse distribution function and Gumbel-max draw from softmax (χ² at a fixed seed); the same key gives the same token',
  /** `bound`: the 99.9 % quantile of χ² with one degree of freedom less than there are possible tokens. */
  draws: (draw: (index: number) => number, logits: Logits, n: number, bound: number): boolean => {
    const counts = logits.map(() => 0)
    for (let i = 0; i < n; i++) counts[draw(i)]++
    return chiSquare(counts, softmax(logits)) < bound
  },
}

/** After how many tokens a rule ends a run; all of them where it does not. */
export const stopsAfter = <S>(rule: StopRule<S>, generated: readonly Generated[]): number => {
  let state = rule.init()
  for (const [i, token] of generated.entries()) {
    const [stop, next] = rule.step(state, token)
    if (stop) return i + 1
    state = next
  }
  return generated.length
}

export const G6 = {
  id: 'G6',
  name: 'stop rules: union commutes; a stop string across tokens is found and never shown; n is a prefix of n + 1',
  commutes: <S, T, U, V>(
    union: { readonly xy: StopRule<S>; readonly yx: StopRule<T> },
    x: StopRule<U>,
    y: StopRule<V>,
    generated: readonly Generated[],
  ): boolean => {
    const end = stopsAfter(union.xy, generated)
    return (
      end === stopsAfter(union.yx, generated) && end === Math.min(stopsAfter(x, generated), stopsAfter(y, generated))
    )
  },
  /** What is shown of a text in pieces is the text before the stop string that ends first, however it is cut. */
  shows: (
    show: (pieces: readonly string[]) => string,
    pieces: readonly string[],
    strings: readonly string[],
  ): boolean => {
    const whole = pieces.join('')
    const matches = strings.flatMap(string => {
      const start = whole.indexOf(string)
      return start < 0 ? [] : [{ start, end: start + string.length }]
    })
    const [first] = matches.sort((x, y) => x.end - y.end || x.start - y.start)
    return show(pieces) === (first === undefined ? whole : whole.slice(0, first.start))
  },
}
