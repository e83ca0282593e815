/**
 * A product of few rows is bound by reading y, and memory is read fastest in one stream. So a matrix that such products read again and again
 * is put into panels (assembly/panels.ts), in its own place: larger products have nothing to pack, and any other kernel that asks for its
 * address puts it back first.
 */
import type { MatmulSizes } from '../primitives.ts'
import type { Kernels } from './binary.generated.ts'
import { PANEL } from './costs.ts'
import { type Memory, OutOfMemoryError } from './memory.ts'
import { fromPanels, type Order, toPanels } from './panelOrder.ts'
import type { WasmStorage } from './storage.ts'

/** Rows up to which a product counts: packing y as it goes takes 4 to 10 % of a product of 64 rows, 1 % at most of one of 512. */
const ROWS = 64
/** How many such products change the matrix; sixteen times as many each time it had to be put back. */
const READS = 4
const PATIENCE = 16
/** Numbers from which on a matrix is worth it. */
const LEAST = 4096

/** A matrix in panels. */
export interface Panels extends Order {
  /** Columns in panels. */
  readonly whole: number
  /** Puts the numbers back. */
  undo(): void
}

/** How y lies for this product, after it was changed if that pays; null: row-major, once `at` has been asked. */
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
  const order = { address: y.address, inner, columns, byColumns: transposeY }
  try {
    toPanels(memory, kernels, order)
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error
    // Without room for the change, the product goes on with the matrix as it is.
    y.reads = -Infinity
    return null
  }
  const undo = (): void => {
    fromPanels(memory, kernels, order)
    y.panels = null
    y.reads = 0
    y.returns++
  }
  y.panels = { ...order, whole: columns - (columns % PANEL), undo }
  return y.panels
}
