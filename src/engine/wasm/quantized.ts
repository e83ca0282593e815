/** Products and lookups with weights of fewer bits over the compiled kernels. Addresses in bytes. */
import type { Fused, PackedSizes } from '../fused.ts'
import type { Kernels } from './binary.generated.ts'
import { LINE } from './heap.ts'
import type { Memory } from './memory.ts'
import { addresses } from './storage.ts'

/** Numbers of a block; bytes of a row's block, and of its scale (assembly/quantized.ts). */
export const BLOCK = 32
export const ROW_BYTES = 64
export const SCALE_BYTES = 8

export const quantized = (memory: Memory, kernels: Kernels): Pick<Fused, 'quantizedMatmul' | 'quantizedGather'> => {
  const { at, addressOrNone } = addresses(memory)
  return {
    quantizedMatmul: (out, x, weight, bias, { type, rows, inner, columns }) => {
      // Before scratch memory: a matrix that has to be put in order takes some.
      const [to, from, weights, offset] = [at(out), at(x), at(weight), addressOrNone(bias)]
      if (type === 'f16') {
        const scratch = memory.scratch(kernels.halvesScratch(rows, inner))
        kernels.halvesProduct(to, columns, from, weights, offset, rows, inner, columns, scratch)
        return
      }
      const blocks = Math.ceil(inner / BLOCK)
      const numbers = memory.scratch(rows * blocks * (ROW_BYTES + SCALE_BYTES) + LINE)
      const scales = numbers + rows * blocks * ROW_BYTES
      kernels.quantizeRows(numbers, scales, from, rows, inner)
      kernels.quantizedProduct(to, columns, numbers, scales, weights, offset, rows, blocks, columns)
    },
    quantizedGather: (out, table, ids, { type, inner }: PackedSizes) => {
      const gather = type === 'f16' ? kernels.halvesGather : kernels.quantizedGather
      gather(at(out), at(table), memory.stage(ids), ids.length, inner)
    },
  }
}
