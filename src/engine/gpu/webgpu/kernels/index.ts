/**
 * All kernels on WebGPU. gpu.js says every one of them, as in the other modes, and compiles most of them here too. WGSL of our own stands where its
 * threads, each of which computes one cell of a new array by itself, from floats, do more work: it shares loads and sums in a workgroup, writes in
 * place, writes several arrays at once, and has integers of 32 bits. This is counted, not timed: no GPU has run both.
 *
 *   product       a thread of gpu.js loads 8 bytes a multiply-add (5 if it has four cells); a tile of side s loads 8 / s
 *   few rows      a thread of gpu.js walks all of the inner length for a column: at 768 columns a large GPU idles
 *   attention     gpu.js fills tables over the whole capacity of the cache, for every token: 6 launches a token more, 2 a training step
 *   norm, loss    a thread of gpu.js has a row, of 50,257 logits one thread: 10 launches a token more, 21 a training step
 *   in place      gpu.js copies a cache of 1,024 positions to write one, and has three launches for AdamW: 30 a training step more
 *   uniform       without integers the host draws every number and uploads it
 *
 * Together, for the preset `tiny`: 35 launches a token where gpu.js alone has 51, 193 a training step where it has 246. Sums of columns, activations,
 * whatever goes cell by cell, and what no step of a language model waits for (softmax beside the fused attention, pools, convolutions through
 * patches) stay with gpu.js.
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
