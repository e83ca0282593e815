import type { Fused } from '../fused.ts'
import type { Kernels } from './binary.generated.ts'
import { PANEL } from './costs.ts'
import type { Memory } from './memory.ts'
import { panelsOf } from './panels.ts'
import { addresses } from './storage.ts'

/** out = x y + bias. */
export const matmul = (memory: Memory, kernels: Kernels): Fused['linear'] => {
  const { held, at, addressOrNone } = addresses(memory)
  return (out, x, y, bias, sizes) => {
    const { batch, xBatched, yBatched, rows, inner, columns, transposeX, transposeY } = sizes
    const panels = x === y ? null : panelsOf(memory, kernels, held(y), sizes)
    const [to, left, offset] = [at(out), at(x), addressOrNone(bias)]
    const right = panels === null ? at(y) : held(y).address
    const scratch = memory.scratch(kernels.gemmScratch(rows, inner))
    const product = (first: number, width: number, yInner: number, yColumn: number): void =>
      kernels.gemmBatch(
        to + 4 * first,
        rows * columns,
        columns,
        left,
        xBatched ? rows * inner : 0,
        transposeX ? 1 : inner,
        transposeX ? rows : 1,
        right + 4 * first * (transposeY || panels !== null ? inner : 1),
        yBatched ? inner * columns : 0,
        yInner,
        yColumn,
        offset === 0 ? 0 : offset + 4 * first,
        rows,
        inner,
        width,
        batch,
        scratch,
      )
    const whole = panels?.whole ?? 0
    if (whole > 0) product(0, whole, PANEL, 0)
    if (whole < columns) product(whole, columns - whole, transposeY ? 1 : columns, transposeY ? inner : 1)
  }
}
