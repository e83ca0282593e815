/**
 * A draw from softmax(logits) as the arg max of l_i - log(-log u_i), one uniform u_i in (0, 1) a token. Removed tokens are never
 * drawn. Needs no sum over the vocabulary, and the same key shifts little when logits change a little. Law G3.
 *
 * Source: Maddison, Tarlow & Minka, "A* sampling", 2014.
 */
import type { HostData } from '../../src/engine/engine.ts'
import { type Key, uniform64At } from '../../src/random.ts'
import { greedy } from './greedy.ts'

const HALF_STEP = 2 ** -54

export const gumbelMax = (logits: HostData, key: Key): number => {
  const perturbed = Float64Array.from(logits, (logit, i) =>
    logit === -Infinity ? logit : logit - Math.log(-Math.log(uniform64At(key, i) + HALF_STEP)),
  )
  return greedy(perturbed)
}
