/**
 * A product of few rows is bound by reading y, and memory is read fastest in one stream. So a matrix that such products read again and again
 * is put into panels (assembly/panels.ts), in its own place: no memory is added, larger products have nothing to pack, and any other
 * kernel that asks for its address puts it back first.
 */
import type { MatmulSizes } from '../primitives.ts'
import type { Kernels } from './binary.generated.ts'
import type { Memory } from './memory.ts'
import type { WasmStorage } from './storage.ts'

/** Columns of a panel. */
export const PANEL = 8
/** Rows up to which a product counts, and how many of them change the matrix; sixteen times as many each time it had to be put back. */
const ROWS = 16
const READS = 4
const PATIENCE = 16
/** Numbers from which on a matrix is worth it. */
const LEAST = 4096
const FLOAT = 4

/** A matrix (inner, columns) in panels. */
export interface Panels {
  readonly inner: number
  readonly columns: number
  /** It was stored (columns, inner), and is from column `whole` on. */
  readonly byColumns: boolean
  /** Columns in panels. */
  readonly whole: number
  /** Puts the numbers back. */
  undo(): void
}

/** How y lies for this product, after it was changed if that pays; null: row-major, once `addressOf` has been asked. */
export const panelsOf = (
  memory: Memory,
  kernels: Kernels,
  y: WasmStorage,
  { batch, yBatched, rows, inner, columns, transposeY }: MatmulSizes,
): Panels | null => {
  const held = y.panels
  if (yBatched) return null
  if (held !== null)
    return held.inner === inner && held.columns === columns && held.byColumns === transposeY ? held : null
  if (batch * rows > ROWS || y.size < LEAST || inner * columns !== y.size) return null
  if (!transposeY && columns % PANEL !== 0) return null
  if (++y.reads < READS * PATIENCE ** y.returns) return null
  const { address } = y
  const stride = FLOAT * columns
  const scratch = (): number => memory.scratch(transposeY ? kernels.panelScratch(inner) : FLOAT * y.size)
  const undo = (): void => {
    y.panels = null
    y.reads = 0
    y.returns++
    const spare = scratch()
    if (transposeY) kernels.columnsFromPanels(address, inner, columns, spare)
    else {
      memory.floats.copyWithin(spare / FLOAT, address / FLOAT, address / FLOAT + y.size)
      kernels.unpackRows(address, spare, stride, inner, columns)
    }
  }
  const spare = scratch()
  if (transposeY) kernels.panelsFromColumns(address, inner, columns, spare)
  else {
    kernels.packRows(spare, address, stride, inner, columns)
    memory.floats.copyWithin(address / FLOAT, spare / FLOAT, spare / FLOAT + y.size)
  }
  y.panels = { inner, columns, byColumns: transposeY, whole: columns - (columns % PANEL), undo }
  return y.panels
}
