/** All kernels on WebGPU: WGSL of our own where threads must share what they load or write in place, gpu.js for the others. */
import { type Kernels, kernels } from '../../kernels/index.ts'
import type { WgslLauncher } from '../launcher.ts'
import { fold } from './fold.ts'
import { inPlace } from './inPlace.ts'
import { matmul } from './matmul.ts'
import { rowKernels } from './rows.ts'

export const wgslKernels = (launcher: WgslLauncher): Kernels => {
  const { primitives, fused } = kernels(launcher)
  const { linear, ...products } = matmul(launcher)
  const { adamW, ...updates } = inPlace(launcher)
  const { dot, ...reductions } = fold(launcher, primitives)
  return {
    primitives: { ...primitives, ...products, ...updates, ...reductions },
    fused: { ...fused, linear, adamW, dot, ...rowKernels(launcher, primitives) },
  }
}
