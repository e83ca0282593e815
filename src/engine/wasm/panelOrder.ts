/**
 * A matrix (inner, columns) to panels (columns / 8, inner, 8) and back in its own place (assembly/panels.ts). One stored (columns, inner) goes panel by
 * panel. One stored by rows goes strip by strip, (rows, columns) to (columns / 8, rows, 8); then the runs of 8 numbers a row that a strip has of
 * a panel change places. Both take their scratch memory before they move anything, so a matrix is never left half done.
 */
import type { Kernels } from './binary.generated.ts'
import { FLOAT, PANEL } from './costs.ts'
import type { Memory } from './memory.ts'

/** Numbers of a strip, or this part of a larger matrix: longer runs are moved faster. */
const STRIP = 2 ** 16
const PART = 32

/** Where a matrix lies, and how it did before it was put into panels. */
export interface Order {
  readonly address: number
  readonly inner: number
  readonly columns: number
  /** It was stored (columns, inner); columns that 8 do not divide stay. Else 8 divides `columns`. */
  readonly byColumns: boolean
}

/** Rows of a strip: a divisor of `inner`. */
const stripOf = (inner: number, columns: number): number => {
  let rows = Math.max(1, Math.min(inner, Math.floor(Math.max(STRIP, (inner * columns) / PART) / columns)))
  while (inner % rows !== 0) rows--
  return rows
}

/** Runs of `length` numbers in the order (rows, columns), from number `at` on, to (columns, rows): each cycle of the permutation in turn. */
const turnRuns = (numbers: Float32Array, at: number, rows: number, columns: number, length: number): void => {
  const done = new Uint8Array(rows * columns)
  for (let start = 0; start < done.length; start++) {
    if (done[start] === 1) continue
    const first = numbers.slice(at + start * length, at + (start + 1) * length)
    let hole = start
    for (;;) {
      done[hole] = 1
      const from = (hole % rows) * columns + Math.floor(hole / rows)
      if (from === start) break
      numbers.copyWithin(at + hole * length, at + from * length, at + (from + 1) * length)
      hole = from
    }
    numbers.set(first, at + hole * length)
  }
}

export const toPanels = (memory: Memory, kernels: Kernels, { address, inner, columns, byColumns }: Order): void => {
  if (byColumns) {
    kernels.panelsFromColumns(address, inner, columns, memory.scratch(kernels.panelScratch(inner)))
    return
  }
  const rows = stripOf(inner, columns)
  const bytes = FLOAT * columns * rows
  const scratch = memory.scratch(bytes)
  const { floats } = memory
  for (let strip = address; strip < address + FLOAT * columns * inner; strip += bytes) {
    kernels.packRows(scratch, strip, FLOAT * columns, rows, columns)
    floats.copyWithin(strip / FLOAT, scratch / FLOAT, (scratch + bytes) / FLOAT)
  }
  turnRuns(floats, address / FLOAT, inner / rows, columns / PANEL, rows * PANEL)
}

/** The inverse of `toPanels`. */
export const fromPanels = (memory: Memory, kernels: Kernels, { address, inner, columns, byColumns }: Order): void => {
  if (byColumns) {
    kernels.columnsFromPanels(address, inner, columns, memory.scratch(kernels.panelScratch(inner)))
    return
  }
  const rows = stripOf(inner, columns)
  const bytes = FLOAT * columns * rows
  const scratch = memory.scratch(bytes)
  const { floats } = memory
  turnRuns(floats, address / FLOAT, columns / PANEL, inner / rows, rows * PANEL)
  for (let strip = address; strip < address + FLOAT * columns * inner; strip += bytes) {
    floats.copyWithin(scratch / FLOAT, strip / FLOAT, (strip + bytes) / FLOAT)
    kernels.unpackRows(strip, scratch, FLOAT * columns, rows, columns)
  }
}
