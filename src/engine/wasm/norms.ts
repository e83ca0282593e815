/** Norms and their pullbacks over the compiled kernels. */
import type { Storage } from '../../tensor/storage.ts'
import type { Fused, Rows } from '../fused.ts'
import type { Kernels } from './binary.generated.ts'
import { FLOAT } from './costs.ts'
import type { Memory } from './memory.ts'
import { addresses } from './storage.ts'

type Norms = Pick<
  Fused,
  'layerNorm' | 'layerNormPullback' | 'rmsNorm' | 'rmsNormPullback' | 'groupNorm' | 'groupNormPullback'
>

/** Blocks of rows whose sums are added up at last: their number decides the bits, not that of threads. */
const BLOCKS = 16

export const norms = (memory: Memory, kernels: Kernels): Norms => {
  const { at, addressOrNone } = addresses(memory)
  /** `mean` null: not centred. */
  const pull = (
    dx: Storage,
    dWeight: Storage | null,
    dBias: Storage | null,
    dy: Storage,
    x: Storage,
    weight: Storage | null,
    mean: Storage | null,
    deviation: Storage,
    { rows, columns }: Rows,
  ): void => {
    const inputs = [at(dy), at(x), addressOrNone(weight), addressOrNone(mean), at(deviation)] as const
    const [to, ofWeight, ofBias] = [at(dx), addressOrNone(dWeight), addressOrNone(dBias)]
    const block = Math.ceil(rows / BLOCKS)
    const blocks = block === 0 ? 0 : Math.ceil(rows / block)
    const table = FLOAT * blocks * columns
    const weights = ofWeight === 0 && ofBias === 0 ? 0 : memory.scratch(2 * table)
    const biases = weights + table
    const [dWeights, dBiases] = [ofWeight === 0 ? 0 : weights, ofBias === 0 ? 0 : biases]
    kernels.normPullback(to, dWeights, dBiases, ...inputs, rows, columns, block, 0, blocks)
    if (ofWeight !== 0) kernels.sumColumns(ofWeight, dWeights, 1, blocks, columns, 0, columns)
    if (ofBias !== 0) kernels.sumColumns(ofBias, dBiases, 1, blocks, columns, 0, columns)
  }
  return {
    layerNorm: (out, mean, deviation, x, weight, bias, epsilon, { rows, columns }) =>
      kernels.layerNorm(
        ...([at(out), at(mean), at(deviation), at(x), addressOrNone(weight), addressOrNone(bias)] as const),
        ...([epsilon, rows, columns] as const),
      ),
    layerNormPullback: pull,
    rmsNorm: (out, deviation, x, weight, epsilon, { rows, columns }) =>
      kernels.rmsNorm(at(out), at(deviation), at(x), addressOrNone(weight), epsilon, rows, columns),
    rmsNormPullback: (dx, dWeight, dy, x, weight, deviation, size) =>
      pull(dx, dWeight, null, dy, x, weight, null, deviation, size),
    groupNorm: (out, mean, deviation, x, weight, bias, epsilon, { rows, groups, channels, positions }) =>
      kernels.groupNorm(
        ...([at(out), at(mean), at(deviation), at(x), at(weight), at(bias)] as const),
        ...([epsilon, groups, channels, positions, 0, rows] as const),
      ),
    groupNormPullback: (dx, dWeights, dBiases, dy, x, weight, mean, deviation, sizes) =>
      kernels.groupNormPullback(
        ...([at(dx), at(dWeights), at(dBiases), at(dy), at(x), at(weight), at(mean), at(deviation)] as const),
        ...([sizes.groups, sizes.channels, sizes.positions, 0, sizes.rows] as const),
      ),
  }
}
