/** Random composites of small operators on (rows, WIDTH), with the parameters they read. */
import fc from 'fast-check'
import { residual, sequence } from '../../src/compose.ts'
import { type Context, context, keyAt } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { dropout } from '../../src/kernel/dropout.ts'
import type { Operator } from '../../src/operator.ts'
import { fold, key, normal } from '../../src/random.ts'
import { scoped } from '../../src/scoped.ts'
import { sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import {
  activationOperator,
  layerNormOperator,
  linearOperator,
  rmsNormOperator,
  softmaxOperator,
} from '../kernel/operators.ts'

export const WIDTH = 4

export type Endo = Operator<Tensor, Tensor>

/** Dropout whose key is the run's key folded with its path. */
export const dropoutOperator =
  (name: string): Endo =>
  (c, x) => ({
    value: dropout(x, keyAt(c, name), 0.25),
    state: {},
    saved: [],
    pullback: dy => [{}, dropout(dy, keyAt(c, name), 0.25)],
  })

/** An operator by description, so that counter-examples can be read. */
export type Term =
  | { readonly kind: 'softmax' | 'gelu' | 'tanh' | 'layerNorm' | 'rmsNorm' }
  | { readonly kind: 'linear' | 'dropout'; readonly name: string }
  | { readonly kind: 'residual'; readonly body: Term }
  | { readonly kind: 'scoped'; readonly name: string; readonly body: Term }
  | { readonly kind: 'sequence'; readonly first: Term; readonly second: Term }

const names = ['a', 'b', 'c'] as const
const scopes = ['h', 'g'] as const

const leaf: fc.Arbitrary<Term> = fc.oneof(
  fc.record({ kind: fc.constantFrom('softmax', 'gelu', 'tanh', 'layerNorm', 'rmsNorm') }),
  fc.record({ kind: fc.constantFrom('linear', 'dropout'), name: fc.constantFrom(...names) }),
)

/** Terms up to a depth; a name may occur twice, so weights are shared. */
export const term = (depth = 2): fc.Arbitrary<Term> =>
  depth === 0
    ? leaf
    : fc.oneof(
        { weight: 3, arbitrary: leaf },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('residual'), body: term(depth - 1) }) },
        {
          weight: 1,
          arbitrary: fc.record({
            kind: fc.constant('scoped'),
            name: fc.constantFrom(...scopes),
            body: term(depth - 1),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant('sequence'), first: term(depth - 1), second: term(depth - 1) }),
        },
      )

export const operatorOf = (described: Term): Endo => {
  switch (described.kind) {
    case 'softmax':
      return softmaxOperator
    case 'gelu':
    case 'tanh':
      return activationOperator(described.kind)
    case 'layerNorm':
      return layerNormOperator(true, true)
    case 'rmsNorm':
      return rmsNormOperator(false)
    case 'linear':
      return linearOperator(WIDTH, true, false, `${described.name}.`)
    case 'dropout':
      return dropoutOperator(described.name)
    case 'residual':
      return residual(operatorOf(described.body))
    case 'scoped':
      return scoped(described.name, operatorOf(described.body))
    case 'sequence':
      return sequence(operatorOf(described.first), operatorOf(described.second))
  }
}

/** Normal numbers, by name. */
const random = (engine: Engine, shape: readonly number[], seed: number, name: string): Tensor =>
  tensor(engine, shape, normal(fold(key(seed), name), sizeOf(shape)))

const linearShapes = (prefix: string): Record<string, readonly number[]> => ({
  [`${prefix}weight`]: [WIDTH, WIDTH],
  [`${prefix}bias`]: [WIDTH],
})

/** The parameters a term reads, under a path. */
const parametersOf = (described: Term, path = ''): Record<string, readonly number[]> => {
  switch (described.kind) {
    case 'layerNorm':
      return { [`${path}weight`]: [WIDTH], [`${path}bias`]: [WIDTH] }
    case 'linear':
      return linearShapes(`${path}${described.name}.`)
    case 'residual':
      return parametersOf(described.body, path)
    case 'scoped':
      return parametersOf(described.body, `${path}${described.name}.`)
    case 'sequence':
      return { ...parametersOf(described.first, path), ...parametersOf(described.second, path) }
    default:
      return {}
  }
}

/**
 * A training context with what the terms read, linear `a` and `b` besides, and an input of 3 rows.
 */
export const pointOf = (
  engine: Engine,
  seed: number,
  terms: readonly Term[] = [],
): { readonly c: Context; readonly x: Tensor } => {
  const shapes = Object.assign(linearShapes('a.'), linearShapes('b.'), ...terms.map(t => parametersOf(t)))
  const parameters = Object.fromEntries(
    Object.entries<readonly number[]>(shapes).map(([path, shape]) => [path, random(engine, shape, seed, path)]),
  )
  return { c: context(parameters, { train: true, key: key(seed) }), x: random(engine, [3, WIDTH], seed, 'x') }
}
