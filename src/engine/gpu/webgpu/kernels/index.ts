/** All kernels on WebGPU: WGSL of our own where threads must share what they load or write in place, gpu.js for the others. */
import { type Kernels, kernels } from '../../kernels/index.ts'
import type { WgslLauncher } from '../launcher.ts'
import { attention } from './attention.ts'
import { fold } from './fold.ts'
import { inPlace } from './inPlace.ts'
import { matmul } from './matmul.ts'
import { random } from './random.ts'
import { rowKernels } from './rows.ts'

export const wgslKernels = (launcher: WgslLauncher): Kernels => {
  const { primitives, fused } = kernels(launcher)
  const { linear, ...products } = matmul(launcher)
  const { adamW, ...updates } = inPlace(launcher)
  const { dropout, ...draws } = random(launcher)
  const { dot, ...reductions } = fold(launcher, primitives)
  return {
    primitives: { ...primitives, ...products, ...updates, ...reductions, ...draws },
    fused: { ...fused, linear, adamW, dot, dropout, ...attention(launcher), ...rowKernels(launcher, primitives) },
  }
}
