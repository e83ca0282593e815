/** The primitives over the compiled kernels: addresses for storages, strides for transposes and broadcasts. */
import type { Storage } from '../../tensor/storage.ts'
import type { AxisView, Primitives } from '../primitives.ts'
import type { Kernels } from './binary.generated.ts'
import { binary } from './binary.ts'
import { matmul } from './matmul.ts'
import type { Memory } from './memory.ts'
import { permute } from './permute.ts'
import { addresses } from './storage.ts'

export const primitives = (memory: Memory, kernels: Kernels): Primitives => {
  const { at, held } = addresses(memory)
  const product = matmul(memory, kernels)
  const hostMap = (f: (x: number) => number, out: Storage, x: Storage, size: number): void => {
    const [to, from] = [at(out) / 4, at(x) / 4]
    const values = memory.floats.subarray(from, from + size)
    const results = memory.floats.subarray(to, to + size)
    for (let i = 0; i < size; i++) results[i] = f(values[i])
  }
  const place = (out: Storage, x: Storage, view: AxisView, start: number, total: number): void => {
    const { outer, length, inner } = view
    kernels.copyRows(at(out) + 4 * start * inner, total * inner, at(x), length * inner, outer, length * inner)
  }
  return {
    fill: (out, value, size) => kernels.fill(at(out), value, size),
    copy: (out, x, size) => kernels.copy(at(out), at(x), size),
    unary: (op, out, x, size) => {
      // On the host, where large arguments are reduced exactly; no model spends time in them.
      if (op === 'sin' || op === 'cos') hostMap(Math[op], out, x, size)
      else kernels[op](at(out), at(x), size)
    },
    binary: (op, out, x, y, broadcast) => binary(kernels[op], at(out), at(x), at(y), broadcast),
    reduce: (op, out, x, { outer, length, inner }) => {
      if (inner === 1) (op === 'sum' ? kernels.sumRows : kernels.maxRows)(at(out), at(x), outer, length)
      else (op === 'sum' ? kernels.sumColumns : kernels.maxColumns)(at(out), at(x), outer, length, inner, 0, inner)
    },
    matmul: (out, x, y, sizes) => product(out, x, y, null, sizes),
    gather: (out, table, ids, _rows, width) => {
      const { panels, address } = held(table)
      if (panels?.byColumns && panels.inner === width)
        kernels.gatherPanels(at(out), address, memory.stage(ids), ids.length, width, panels.columns)
      else kernels.gather(at(out), at(table), memory.stage(ids), ids.length, width)
    },
    scatterAdd: (out, x, ids, rows, width) =>
      kernels.scatterAdd(at(out), at(x), memory.stage(ids), ids.length, width, 0, rows),
    permute: (out, x, shape, order) => permute(kernels, at(out), at(x), shape, order),
    slice: (out, x, { outer, length, inner }, start, count) =>
      kernels.copyRows(at(out), count * inner, at(x) + 4 * start * inner, length * inner, outer, count * inner),
    pad: (out, x, view, start, total) => {
      if (view.length < total) kernels.fill(at(out), 0, view.outer * total * view.inner)
      place(out, x, view, start, total)
    },
    assign: place,
    accumulate: (out, x, scale, size) => kernels.accumulate(at(out), at(x), scale, size),
    uniform: (out, key, size) =>
      kernels.uniform(at(out), key[0], key[1], 0, size, memory.scratch(kernels.randomScratch())),
  }
}
