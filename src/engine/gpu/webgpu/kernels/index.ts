/**
 * All kernels on WebGPU. gpu.js compiles all but those that it cannot say well: a thread of its own computes one cell of a new array, from floats. So
 * WGSL of our own is what shares loads between threads or a row among them (products, attention, norms, cross-entropy), writes in place, and
 * needs integers of 32 bits (Philox). Without, each costs at least three times as much; by count, a bench on a GPU has yet to say:
 *
 *   product       a thread a result loads 8 bytes a multiply-add; a tile of side s loads 8 / s
 *   few rows      a thread a column walks all of the inner length: at 768 columns a large GPU idles
 *   attention     two tables of scores over the whole capacity of the cache, for every token
 *   norm, loss    a thread a row: of one row of 50,257 logits, one thread
 *   in place      copies a cache of 1,024 positions to write one; three launches for AdamW, and new buffers and bind groups every step
 *   uniform       the host draws every number and uploads it
 *
 * What gpu.js does with at most twice the traffic (sums of columns, activations, whatever goes cell by cell), and what no step of a language model
 * waits for (softmax beside the fused attention, pools, convolutions through patches), stays with gpu.js.
 */
import { type Kernels, kernels } from '../../kernels/index.ts'
import type { WgslLauncher } from '../launcher.ts'
import { attention } from './attention.ts'
import { inPlace } from './inPlace.ts'
import { matmul } from './matmul.ts'
import { random } from './random.ts'
import { rowKernels } from './rows.ts'

export const wgslKernels = (launcher: WgslLauncher): Kernels => {
  const { primitives, fused } = kernels(launcher)
  const { linear, ...products } = matmul(launcher)
  const { adamW, ...updates } = inPlace(launcher)
  const { dropout, ...draws } = random(launcher)
  return {
    primitives: { ...primitives, ...products, ...updates, ...draws },
    fused: { ...fused, linear, adamW, dropout, ...attention(launcher), ...rowKernels(launcher, primitives) },
  }
}
