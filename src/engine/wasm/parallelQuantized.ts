/** Products with weights of fewer bits over threads: by columns, in whole panels. */
import type { Kernels } from './binary.generated.ts'
import { COST, FLOAT } from './costs.ts'
import { each } from './parallelProducts.ts'
import { BLOCK, ROW_BYTES, SCALE_BYTES } from './quantized.ts'
import type { Threads } from './threads.ts'

/** Columns of a panel, and bytes of a column's part of a block or a row of it (assembly/quantized.ts, assembly/halves.ts). */
const PANEL = 16
const BLOCK_BYTES = 34
const HALVES_PANEL = 32
const HALF = 2

type Quantized = Pick<Kernels, 'quantizeRows' | 'quantizedProduct' | 'halvesProduct' | 'halvesScratch'>

export const parallelQuantized = (threads: Threads, kernels: Kernels): Quantized => ({
  quantizeRows: (numbers, scales, x, rows, inner) => {
    if (!threads.splits(rows * inner * COST.rounding, rows, 1))
      return kernels.quantizeRows(numbers, scales, x, rows, inner)
    const blocks = Math.ceil(inner / BLOCK)
    threads
      .begin('quantizeRows')
      .moving(numbers, blocks * ROW_BYTES)
      .moving(scales, blocks * SCALE_BYTES)
    threads
      .moving(x, FLOAT * inner)
      .size()
      .same(inner)
      .run()
  },
  quantizedProduct: (out, outRow, numbers, scales, w, bias, rows, blocks, columns) => {
    if (!threads.splits(rows * blocks * BLOCK * columns * COST.quantized, columns, PANEL))
      return kernels.quantizedProduct(out, outRow, numbers, scales, w, bias, rows, blocks, columns)
    threads.begin('quantizedProduct').reads(w, blocks * BLOCK_BYTES)
    threads.moving(out, FLOAT).same(outRow).same(numbers).same(scales)
    threads
      .moving(w, blocks * BLOCK_BYTES)
      .moving(bias, FLOAT)
      .same(rows)
      .same(blocks)
      .size()
      .run()
  },
  halvesProduct: (out, outRow, x, w, bias, rows, inner, columns, scratch) => {
    if (!threads.splits(rows * inner * columns * COST.halves, columns, HALVES_PANEL))
      return kernels.halvesProduct(out, outRow, x, w, bias, rows, inner, columns, scratch)
    threads
      .begin('halvesProduct')
      .reads(w, inner * HALF)
      .moving(out, FLOAT)
      .same(outRow)
      .same(x)
      .moving(w, inner * HALF)
    threads.moving(bias, FLOAT).same(rows).same(inner).size()
    threads.scratch(scratch, each(kernels.halvesScratch(rows, inner))).run()
  },
  halvesScratch: (rows, inner) => threads.count * each(kernels.halvesScratch(rows, inner)),
})
