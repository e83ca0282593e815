/** The laws of optimizers, O1-O9 and O11, as predicates over what an optimizer does on an engine that answers at once. */

import { applyUpdate } from '../../operators/optimizer/applyUpdate.ts'
import type { Optimizer } from '../../operators/optimizer/optimizer.ts'
import type { Schedule } from '../../operators/optimizer/schedule/schedule.ts'
import { orThrow } from '../../src/codec/decode.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { flatten, unflatten } from '../../src/state.ts'
import { Region } from '../../src/tensor/region.ts'
import { scope, tensorsOf } from '../../src/tensor/scope.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'

/** Tensors by name on the host. */
export type Values = Readonly<Record<string, { readonly shape: readonly number[]; readonly values: readonly number[] }>>

export const upload = (engine: Engine, x: Values): Named =>
  Object.fromEntries(Object.entries(x).map(([name, { shape, values }]) => [name, tensor(engine, shape, values)]))

export const download = (x: Named): Values =>
  Object.fromEntries(
    Object.entries(x).map(([name, y]) => [name, { shape: [...y.shape], values: Array.from(readNow(y)) }]),
  )

export const mapValues = (x: Values, f: (value: number, i: number, name: string) => number): Values =>
  Object.fromEntries(
    Object.entries(x).map(([name, { shape, values }]) => [
      name,
      { shape, values: values.map((v, i) => f(v, i, name)) },
    ]),
  )

/** What an optimizer did: every update, the parameters at the end, and whether a step ever left a tensor behind. */
export interface Run {
  readonly updates: readonly Values[]
  readonly parameters: Values
  readonly leaked: number
}

/** Steps over gradients; after `interrupt` steps the state goes through the codec of checkpoints, JSON text included. */
export const run = <S>(
  engine: Engine,
  optimizer: Optimizer<S>,
  parameters: Values,
  gradients: readonly Values[],
  interrupt = Number.POSITIVE_INFINITY,
): Run => {
  const region = new Region()
  const before = engine.counter.allocated - engine.counter.freed
  let leaked = 0
  const updates: Values[] = []
  let current = region.run(() => upload(engine, parameters))
  let state = optimizer.init()
  gradients.forEach((values, i) => {
    if (i === interrupt) {
      const { tensors, plain } = flatten(state)
      const copies = region.run(() => upload(engine, download(tensors)))
      for (const old of Object.values(tensors)) old.release()
      state = orThrow(unflatten(optimizer.codec, copies, JSON.parse(JSON.stringify(plain)), 'checkpoint'))
    }
    const [next, stepped] = region.run(() =>
      scope(() => {
        const gradient = upload(engine, values)
        const [update, after] = optimizer.step(state, { gradient, parameters: current })
        updates.push(download(update))
        return [applyUpdate(current, update), after] as const
      }),
    )
    current = next
    state = stepped
    const held = new Set([...tensorsOf([current, state])].map(x => x.storage)).size
    leaked += Math.abs(engine.counter.allocated - engine.counter.freed - before - held)
  })
  const result = { updates, parameters: download(current), leaked }
  region.close()
  leaked += Math.abs(engine.counter.allocated - engine.counter.freed - before)
  return { ...result, leaked }
}

const TOLERANCE = 1e-9

const near = (x: number, y: number, tolerance: number) =>
  x === y || Math.abs(x - y) <= tolerance * Math.max(1e-3, Math.abs(x), Math.abs(y))

/** Equal names, shapes and numbers, whatever the order of names. */
export const same = (x: Values, y: Values, tolerance = 0): boolean => {
  const names = Object.keys(x)
  return (
    names.length === Object.keys(y).length &&
    names.every(
      name =>
        y[name] !== undefined &&
        x[name].shape.join() === y[name].shape.join() &&
        x[name].values.every((value, i) => near(value, y[name].values[i], tolerance)),
    )
  )
}

const sameUpdates = (x: Run, y: Run, tolerance = 0) =>
  x.updates.length === y.updates.length && x.updates.every((update, i) => same(update, y.updates[i], tolerance))

export const norm = (x: Values): number =>
  Math.sqrt(Object.values(x).reduce((sum, { values }) => values.reduce((s, v) => s + v * v, sum), 0))

/** An optimizer as what it does; a fresh one for every run. */
export type Steps = (parameters: Values, gradients: readonly Values[]) => Run

export const O1 = {
  id: 'O1',
  name: 'chain is a monoid: the same updates, whatever the nesting and with identity anywhere',
  holds: (chains: readonly Steps[], parameters: Values, gradients: readonly Values[]): boolean => {
    const [first, ...others] = chains.map(steps => steps(parameters, gradients))
    return others.every(other => sameUpdates(first, other))
  },
}

export const O2 = {
  id: 'O2',
  name: 'sgd is linear in the gradient; momentum 0 is sgd; a zero gradient gives a zero update',
  linear: (steps: Steps, parameters: Values, x: Values, y: Values, a: number, b: number): boolean => {
    const mixed = mapValues(x, (value, i, name) => a * value + b * y[name].values[i])
    const of = (gradient: Values) => steps(parameters, [gradient]).updates[0]
    const [ux, uy] = [of(x), of(y)]
    const expected = mapValues(ux, (value, i, name) => a * value + b * uy[name].values[i])
    return same(of(mixed), expected, 1e-6)
  },
  equal: (x: Steps, y: Steps, parameters: Values, gradients: readonly Values[]): boolean =>
    sameUpdates(x(parameters, gradients), y(parameters, gradients)),
  zero: (steps: Steps, parameters: Values): boolean =>
    norm(steps(parameters, [mapValues(parameters, () => 0)]).updates[0]) === 0,
}

export const O3 = {
  id: 'O3',
  name: "Adam: invariant to the gradient's scale by coordinate, first step -rate sign g, bounded steps",
  scaleInvariant: (steps: Steps, parameters: Values, gradients: readonly Values[], factors: readonly number[]) =>
    sameUpdates(
      steps(parameters, gradients),
      steps(
        parameters,
        gradients.map(gradient => mapValues(gradient, (value, i) => value * factors[i % factors.length])),
      ),
      TOLERANCE,
    ),
  signs: (steps: Steps, parameters: Values, gradients: readonly Values[], rate: number) =>
    steps(parameters, gradients).updates.every((update, i) =>
      same(
        update,
        mapValues(gradients[i], value => -rate * Math.sign(value)),
        TOLERANCE,
      ),
    ),
  bounded: (steps: Steps, parameters: Values, gradients: readonly Values[], bound: (step: number) => number) =>
    steps(parameters, gradients).updates.every((update, i) =>
      Object.values(update).every(({ values }) => values.every(u => Math.abs(u) <= bound(i + 1) * (1 + TOLERANCE))),
    ),
  /**
   * The largest |m̂| / √v̂ of any t gradients, by Cauchy and Schwarz: m̂ = Σ w_k g_k, v̂ = Σ u_k g_k², so m̂² ≤ Σ w_k²/u_k · v̂.
   * (The bound of Kingma & Ba, section 2.1, max(1, (1 - β₁) / √(1 - β₂)), is broken after many growing gradients.)
   */
  bound: (beta1: number, beta2: number, t: number): number => {
    let sum = 0
    for (let k = 0; k < t; k++) {
      const w = ((1 - beta1) * beta1 ** k) / (1 - beta1 ** t)
      const u = ((1 - beta2) * beta2 ** k) / (1 - beta2 ** t)
      sum += (w * w) / u
    }
    return Math.sqrt(sum)
  },
}

export const O4 = {
  id: 'O4',
  name: 'AdamW: decay adds -rate decay p, whatever the gradient',
  decoupled: (
    decayed: Steps,
    plain: Steps,
    parameters: Values,
    gradients: readonly Values[],
    pull: number,
    decays: (shape: readonly number[]) => boolean,
  ): boolean => {
    const [x, y] = [decayed(parameters, gradients).updates[0], plain(parameters, gradients).updates[0]]
    const difference = mapValues(x, (value, i, name) => value - y[name].values[i])
    const expected = mapValues(x, (_, i, name) =>
      decays(parameters[name].shape) ? pull * parameters[name].values[i] : 0,
    )
    return same(difference, expected, 1e-6)
  },
}

export const O5 = {
  id: 'O5',
  name: 'clip: within the limit, the same direction, the identity below, idempotent',
  holds: (steps: Steps, gradient: Values, limit: number): boolean => {
    const clip = (x: Values) => steps(x, [x]).updates[0]
    const clipped = clip(gradient)
    const [before, after] = [norm(gradient), norm(clipped)]
    const direction = same(
      mapValues(clipped, value => value * before),
      mapValues(gradient, value => value * after),
      TOLERANCE,
    )
    const below = before > limit || same(clipped, gradient)
    return after <= limit * (1 + 1e-12) && direction && below && same(clip(clipped), clipped, 1e-12)
  },
}

export const O6 = {
  id: 'O6',
  name: 'schedules: declared values, no jump larger than `slope`, a warm-up that rises from above zero',
  values: (schedule: Schedule, expected: readonly (readonly [number, number])[]) =>
    expected.every(([step, value]) => near(schedule(step), value, 1e-12)),
  continuous: (schedule: Schedule, steps: number, slope: number) =>
    Array.from({ length: steps }, (_, i) => Math.abs(schedule(i + 1) - schedule(i))).every(
      d => d <= slope * (1 + 1e-9),
    ),
  warm: (schedule: Schedule, warmup: number) =>
    schedule(0) > 0 && Array.from({ length: warmup }, (_, i) => schedule(i + 1) > schedule(i)).every(rises => rises),
}

export const O7 = {
  id: 'O7',
  name: 'on ½λx² gradient descent contracts by |1 - rate λ|, and the loss falls just when rate < 2 / λ',
  holds: (steps: Steps, x: number, rate: number, lambda: number): boolean => {
    const at = (value: number): Values => ({ x: { shape: [], values: [value] } })
    const next = steps(at(x), [at(lambda * x)]).parameters.x.values[0]
    const falls = Math.abs(next) < Math.abs(x)
    return near(Math.abs(next), Math.abs(1 - rate * lambda) * Math.abs(x), 1e-6) && falls === rate < 2 / lambda
  },
}

const reversed = (x: Values): Values => Object.fromEntries(Object.entries(x).reverse())

export const O8 = {
  id: 'O8',
  name: 'names may come in any order; shapes stay; nothing leaks; interrupted and resumed is the same, bit for bit',
  permutes: (steps: Steps, parameters: Values, gradients: readonly Values[], tolerance: number): boolean =>
    sameUpdates(steps(parameters, gradients), steps(reversed(parameters), gradients.map(reversed)), tolerance),
  shapes: (steps: Steps, parameters: Values, gradients: readonly Values[]): boolean =>
    steps(parameters, gradients).updates.every(update =>
      Object.entries(update).every(
        ([name, { shape, values }]) =>
          shape.join() === parameters[name].shape.join() && values.every(value => Number.isFinite(value)),
      ),
    ),
  tidy: (steps: Steps, parameters: Values, gradients: readonly Values[]): boolean =>
    steps(parameters, gradients).leaked === 0,
  resumes: (steps: Steps, interrupted: Steps, parameters: Values, gradients: readonly Values[]): boolean =>
    sameUpdates(steps(parameters, gradients), interrupted(parameters, gradients)),
}

export const O9 = {
  id: 'O9',
  name: 'the moving average lies between the least and the greatest seen; decay 0 is the parameters',
  convex: (averages: readonly Values[], seen: readonly Values[]): boolean =>
    averages.every((average, t) =>
      Object.entries(average).every(([name, { values }]) =>
        values.every((value, i) => {
          const history = seen.slice(0, t + 1).map(x => x[name].values[i])
          const [low, high] = [Math.min(...history), Math.max(...history)]
          const slack = TOLERANCE * Math.max(Math.abs(low), Math.abs(high))
          return value >= low - slack && value <= high + slack
        }),
      ),
    ),
}

export const O11 = {
  id: 'O11',
  name: 'an empty gradient is no step: its update is empty, and later updates are as if it had not been',
  holds: (steps: Steps, parameters: Values, gradients: readonly Values[]): boolean => {
    const plain = steps(parameters, gradients).updates
    const spaced = steps(
      parameters,
      gradients.flatMap(gradient => [{}, gradient]),
    ).updates
    return spaced.every((update, i) => same(update, i % 2 === 0 ? {} : plain[(i - 1) / 2]))
  },
}
