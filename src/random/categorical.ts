/**
 * A draw from a finite distribution by its inverse distribution function: the first i with Σ_{j≤i} w_j > u Σ w, u uniform in
 * [0, 1) with 53 bits. Zero weights are never drawn.
 */
import { NumericError } from '../errors.ts'
import type { Key } from './key.ts'
import { uniform64At } from './uniform.ts'

/**
 * An index drawn with probability proportional to `weights` (non-negative, finite, not all zero; otherwise NumericError).
 * `index` selects one of the independent draws of the key.
 */
export const categorical = (key: Key, weights: ArrayLike<number>, index = 0): number => {
  let total = 0
  let last = -1
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]
    if (!(weight >= 0)) throw new NumericError(`categorical: expected weights >= 0, found ${weight} at index ${i}`)
    if (weight > 0) last = i
    total += weight
  }
  if (!(total > 0 && total < Infinity)) {
    throw new NumericError(`categorical: expected weights with a positive finite sum, found ${total}`)
  }
  const target = uniform64At(key, index) * total
  let sum = 0
  for (let i = 0; i < last; i++) {
    sum += weights[i]
    if (sum > target) return i
  }
  return last
}
