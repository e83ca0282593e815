/** Products and attention over threads: by products, columns, rows or heads, each with scratch memory of its own. */
import type { Kernels } from './binary.generated.ts'
import { COST, FEW_ROWS, FLOAT, ONE_PASS, PANEL, QUERY_BLOCK } from './costs.ts'
import { LINE } from './heap.ts'
import type { Threads } from './threads.ts'

/** Columns and rows that a product takes at once. */
const PANELS = 16
const TILE = 6

/** Shares a thread of a product bound by memory: long streams are read fastest, a late worker should leave some. */
const STREAMS = 2

/** Numbers of y that a thread's scratch memory holds packed (assembly/gemm.ts). */
const HELD = 256 * 512

/** Rows or columns for which one more share is cheap, though it packs y or reads x again. */
const CHEAP = 1024
/** Shares a thread of so many rows or columns: the fewer, the less is packed and read; the more, the sooner all are done. */
const sharesOf = (length: number): number => 1 + Math.floor(length / CHEAP)

/** Bytes of one thread's scratch memory, on cache lines of its own. */
export const each = (bytes: number): number => Math.ceil(bytes / LINE) * LINE

type Products = Pick<
  Kernels,
  | 'gemm'
  | 'gemmBatch'
  | 'gemmBlocks'
  | 'gemmScratch'
  | 'packRows'
  | 'unpackRows'
  | 'panelsFromColumns'
  | 'columnsFromPanels'
  | 'panelScratch'
  | 'attention'
  | 'attentionScratch'
  | 'attentionPullback'
  | 'attentionPullbackScratch'
>

export const parallelProducts = (threads: Threads, kernels: Kernels): Products => {
  const gemm: Kernels['gemm'] = (
    out,
    outRow,
    x,
    xRow,
    xInner,
    y,
    yInner,
    yColumn,
    bias,
    rows,
    inner,
    columns,
    scratch,
  ) => {
    const packed = yColumn === 0
    const few = rows <= (packed ? ONE_PASS : FEW_ROWS)
    const cost = rows * inner * columns * (few ? COST.stream : COST.product)
    const bytes = each(kernels.gemmScratch(rows, inner))
    const byColumns = few || (columns >= rows && columns > PANELS)
    // A share of rows packs all of y, unless the thread holds it from the share before.
    const held = packed || inner * Math.ceil(columns / PANEL) * PANEL <= HELD
    const shares = few ? STREAMS : byColumns ? sharesOf(columns) + 1 : held ? undefined : sharesOf(rows)
    if (!threads.splits(cost, byColumns ? columns : rows, byColumns ? PANELS : TILE, shares))
      return kernels.gemm(out, outRow, x, xRow, xInner, y, yInner, yColumn, bias, rows, inner, columns, scratch)
    if (byColumns) {
      threads.begin('gemm').moving(out, FLOAT).same(outRow).same(x).same(xRow).same(xInner)
      threads
        .moving(y, FLOAT * (packed ? inner : yColumn))
        .same(yInner)
        .same(yColumn)
        .moving(bias, FLOAT)
      if (few && packed) threads.reads(y, FLOAT * inner)
      threads.same(rows).same(inner).size().scratch(scratch, bytes).run()
    } else {
      threads
        .begin('gemmBlocks')
        .moving(out, FLOAT * outRow)
        .same(outRow)
        .moving(x, FLOAT * xRow)
        .same(xRow)
        .same(xInner)
      threads.same(y).same(yInner).same(yColumn).same(bias)
      threads.size().same(inner).same(columns).scratch(scratch, bytes).again().run()
    }
  }
  return {
    gemm,
    gemmBatch: (...call) => {
      const [out, outStep, outRow, x, xStep, xRow, xInner, y, yStep, yInner, yColumn, bias, ...sizes] = call
      const [rows, inner, columns, products, scratch] = sizes
      const cost = products * rows * inner * columns * (rows <= FEW_ROWS ? COST.stream : COST.product)
      if (products >= threads.count) {
        if (!threads.splits(cost, products, 1)) return kernels.gemmBatch(...call)
        threads
          .begin('gemmBatch')
          .moving(out, FLOAT * outStep)
          .same(outStep)
          .same(outRow)
        threads
          .moving(x, FLOAT * xStep)
          .same(xStep)
          .same(xRow)
          .same(xInner)
        threads
          .moving(y, FLOAT * yStep)
          .same(yStep)
          .same(yInner)
          .same(yColumn)
          .same(bias)
        threads.same(rows).same(inner).same(columns).size()
        threads.scratch(scratch, each(kernels.gemmScratch(rows, inner))).run()
      } else
        for (let i = 0; i < products; i++) {
          const [to, from, other] = [out + FLOAT * i * outStep, x + FLOAT * i * xStep, y + FLOAT * i * yStep]
          gemm(to, outRow, from, xRow, xInner, other, yInner, yColumn, bias, rows, inner, columns, scratch)
        }
    },
    gemmBlocks: kernels.gemmBlocks,
    gemmScratch: (rows, inner) => threads.count * each(kernels.gemmScratch(rows, inner)),
    // In a matrix's own place: what fails in a worker may not leave half of it done.
    packRows: kernels.packRows,
    unpackRows: kernels.unpackRows,
    panelsFromColumns: kernels.panelsFromColumns,
    columnsFromPanels: kernels.columnsFromPanels,
    panelScratch: kernels.panelScratch,
    attention: (...call) => {
      const [out, logSumExp, query, key, value, queries, keys, capacity, heads, keyValueHeads, width, ...rest] = call
      const [queryRow, keyRow, causal, scale, start, end, scratch] = rest
      const product = queries <= FEW_ROWS ? COST.query : COST.product
      const scores = (end - start) * Math.min(queries, QUERY_BLOCK) * keys
      if (!threads.splits(scores * (2 * width * product + COST.function), end - start, 1))
        return kernels.attention(...call)
      threads.begin('attention').same(out).same(logSumExp).same(query).same(key).same(value)
      threads.same(queries).same(keys).same(capacity).same(heads).same(keyValueHeads).same(width)
      threads.same(queryRow).same(keyRow).same(causal).same(scale).first(start).end(start)
      threads.scratch(scratch, each(kernels.attentionScratch(width))).run()
    },
    attentionScratch: width => threads.count * each(kernels.attentionScratch(width)),
    attentionPullback: (...call) => {
      const [dQuery, dKey, dValue, dOut, query, key, value, out, logSumExp, ...sizes] = call
      const [queries, keys, capacity, heads, keyValueHeads, width, queryRow, keyRow, ...rest] = sizes
      const [causal, scale, start, end, scratch] = rest
      const scores = ((end - start) * queries * keys * heads) / keyValueHeads
      if (!threads.splits(scores * (5 * width * COST.product + COST.function), end - start, 1))
        return kernels.attentionPullback(...call)
      threads.begin('attentionPullback').same(dQuery).same(dKey).same(dValue).same(dOut)
      threads.same(query).same(key).same(value).same(out).same(logSumExp)
      threads.same(queries).same(keys).same(capacity).same(heads).same(keyValueHeads).same(width)
      threads.same(queryRow).same(keyRow).same(causal).same(scale).first(start).end(start)
      threads.scratch(scratch, each(kernels.attentionPullbackScratch(width))).run()
    },
    attentionPullbackScratch: width => threads.count * each(kernels.attentionPullbackScratch(width)),
  }
}
