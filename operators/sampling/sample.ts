/**
 * A draw from softmax(logits) by the inverse distribution function of one uniform u in [0, 1): the first token i with
 * Σ_{j≤i} p_j > u. Removed tokens are never drawn. Agrees in distribution with `gumbelMax` (law G3).
 */
import type { HostData } from '../../src/engine/engine.ts'
import { type Mass, massOf, weight } from './weight.ts'

export const sample = (logits: HostData, u: number, { max, total }: Mass = massOf(logits)): number => {
  const target = u * total
  let sum = 0
  let token = 0
  for (let i = 0; i < logits.length; i++) {
    const w = weight(logits[i], max)
    if (w === 0) continue
    token = i
    sum += w
    if (sum > target) break
  }
  return token
}
