import type { HostData } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import { largest, totalWeight } from './weight.ts'

/** log softmax of the logits at one token, in nats. Sums along a text to its log-likelihood (law L7). */
export const logProbability = (logits: HostData, token: number): number => {
  if (!(token >= 0 && token < logits.length))
    throw new InputError(`token: expected an id in [0, ${logits.length}), found ${token}`)
  const max = largest(logits)
  // Equal infinities weigh alike.
  const logit = logits[token] === max ? 0 : logits[token] - max
  return logit - Math.log(totalWeight(logits, max))
}
