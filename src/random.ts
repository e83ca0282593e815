/** Randomness, explicit and counter-based: a key and an index give a number, everywhere the same one (laws R1-R4). */
export { bits, bitsAt } from './random/bits.ts'
export { categorical } from './random/categorical.ts'
export { integerAt, integers } from './random/integers.ts'
export { fold, type Key, key, split } from './random/key.ts'
export { normal, normalAt } from './random/normal.ts'
export { permutation } from './random/permutation.ts'
export { philox } from './random/philox.ts'
export { uniform, uniform64At, uniformAt } from './random/uniform.ts'
