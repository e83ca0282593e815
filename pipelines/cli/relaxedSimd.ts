import v8 from 'node:v8'
import { hasRelaxedSimd } from '../../src/engine/wasm/kernels.ts'

/**
 * Turns fused multiply-add on where V8 has it but hides it behind a flag: Node before 22. Only a program may do that to its own process, before it
 * compiles the kernels; the library takes what the host shows.
 */
export const turnOnRelaxedSimd = (): void => {
  if (!hasRelaxedSimd()) v8.setFlagsFromString('--experimental-wasm-relaxed-simd')
}
