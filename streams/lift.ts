import type { OperatorFunction } from 'rxjs'
import { pure } from '../src/machine.ts'
import { type Keep, loop } from './loop.ts'

/**
 * A function over a stream: `map` that owns the tensors the function makes, and hands it one argument only.
 * Law S7: `lift(g . f) = lift(g) . lift(f)`, `lift(id) = id`.
 */
export const lift = <A, B>(f: (input: A) => B, options: Keep = {}): OperatorFunction<A, B> => loop(pure(f), options)
