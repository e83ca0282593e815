import { context, type Named, type Weights } from '../src/context.ts'
import { gather } from '../src/kernel/gather.ts'
import type { Machine } from '../src/machine.ts'
import type { Operator } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import { sizeOf, type Tensor } from '../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../src/tensor/tokens.ts'
import type { Taps } from '../streams/index.ts'

/** What a cached decoder remembers: keys and values of the positions so far, by path. */
export interface DecoderState {
  readonly caches: Named
  readonly length: number
}

export interface DecoderOptions {
  readonly parameters: Weights
  /** Positions the caches hold. */
  readonly capacity: number
  /** Asked for its tap at each step. */
  readonly taps?: Pick<Taps, 'tap'>
}

/** The model with its state threaded, nothing else: a step takes the next tokens, any number of them. Laws L3-L6. */
export const decoder = <B>(
  model: Operator<Tokens, B>,
  { parameters, capacity, taps }: DecoderOptions,
): Machine<DecoderState, Tokens, B> => ({
  init: () => ({ caches: {}, length: 0 }),
  step: ({ caches, length }, next) => {
    if (next.ids.length === 0) throw new RangeError('a decoder step takes at least one token')
    const tap = taps?.tap ?? null
    const { value, state } = model(
      context(parameters, { state: caches, offset: length, capacity, differentiable: false, tap }),
      next,
    )
    return [value, { caches: state, length: length + (next.shape[1] ?? 0) }]
  },
})

const mapCaches = ({ caches, length }: DecoderState, f: (cache: Tensor) => Tensor): DecoderState => ({
  caches: Object.fromEntries(Object.entries(caches).map(([path, cache]) => [path, f(cache)])),
  length,
})

/** A second owner of the state: both can be stepped, neither sees the other (law L5). */
export const fork = (state: DecoderState): DecoderState => mapCaches(state, cache => cache.share())

/** The state of these rows of its batch, in this order: repeated, left out, put elsewhere. Copies them; the state is consumed. */
export const select = (state: DecoderState, rows: readonly number[]): DecoderState =>
  mapCaches(state, cache =>
    scope(() => {
      const [batch = 0, ...row] = cache.shape
      const picked = gather(cache.share([batch, sizeOf(row)]), tokens(rows))
      cache.release()
      return picked.share([rows.length, ...row])
    }),
  )

/** The state of an earlier length; what came after is forgotten (law L5). Copies nothing. */
export const truncate = ({ caches, length }: DecoderState, to: number): DecoderState => {
  if (!(to >= 0 && to <= length)) throw new RangeError(`cannot truncate a state of length ${length} to ${to}`)
  return { caches, length: to }
}
