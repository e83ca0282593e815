import type { HostData } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import { type Mass, massOf } from './weight.ts'

/** log softmax of the logits at one token, in nats. Sums along a text to its log-likelihood (law L7). */
export const logProbability = (logits: HostData, token: number, { max, total }: Mass = massOf(logits)): number => {
  if (!(token >= 0 && token < logits.length))
    throw new InputError(`token: expected an id in [0, ${logits.length}), found ${token}`)
  // Equal infinities weigh alike.
  const logit = logits[token] === max ? 0 : logits[token] - max
  return logit - Math.log(total)
}
