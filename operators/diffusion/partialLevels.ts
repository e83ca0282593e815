import { InputError } from '../../src/errors.ts'
import type { Level } from './level.ts'

/**
 * The last `strength` of a descent: where a picture is noised to, and denoised from, when it is to be changed and not made (SDEdit, Meng et al.,
 * arXiv 2108.01073). 1 is the whole way, and little is left of the picture; 0 changes nothing, and whatever is more takes a step at least. Outside [0, 1] it is an
 * InputError.
 */
export const partialLevels = (levels: readonly Level[], strength: number): Level[] => {
  if (!(strength >= 0 && strength <= 1))
    throw new InputError(`strength: expected a number from 0 to 1, found ${strength}`)
  const steps = levels.length - 1
  return levels.slice(steps - Math.max(strength > 0 ? 1 : 0, Math.round(steps * strength)))
}
