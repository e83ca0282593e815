import type { HostData } from '../../src/engine/engine.ts'
import { largest } from './weight.ts'

/** The most probable token, of equals the lowest id. What sampling becomes as T → 0 (law G2). */
export const greedy = (logits: HostData): number => logits.indexOf(largest(logits))
