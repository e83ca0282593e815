import { InputError, ShapeError } from '../errors.ts'
import { isTensor, type QuantizedMatrix, type Weight } from '../tensor/quantizedMatrix.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import type { Tokens } from '../tensor/tokens.ts'
import { lastLength } from './axis.ts'
import { launch } from './launch.ts'

const expectIds = (ids: Int32Array, rows: number): void => {
  for (const id of ids)
    if (id < 0 || id >= rows) throw new InputError(`token id ${id} is not in the vocabulary of ${rows}`)
}

/** y[…, :] = table[ids[…], :]; table (rows, width), in whatever bits. Adjoint: `scatterAdd` (law T10). */
export const gather = <const A extends Axes>(table: Weight, tokens: Tokens): Tensor<A> => {
  if (!isTensor(table)) return quantizedGather<A>(table, tokens)
  const [rows, width] = table.shape
  if (rows === undefined || width === undefined || table.shape.length !== 2)
    throw new ShapeError(`gather takes a matrix, found shape [${table.shape}]`)
  const { ids, shape } = tokens
  expectIds(ids, rows)
  const y = empty<A>(table.engine, [...shape, width])
  launch(table.engine, 0, y, y)
  table.engine.primitives.gather(y.storage, table.storage, ids, rows, width)
  return y
}

/** Rows of a table in fewer bits, widened: exact. */
const quantizedGather = <const A extends Axes>(table: QuantizedMatrix, tokens: Tokens): Tensor<A> => {
  const { type, inner, columns, cells } = table
  if (table.innerFirst) throw new ShapeError(`gather takes a table by rows, found [${table.shape}] by columns`)
  const override = cells.engine.fused.quantizedGather
  if (override === undefined) return gather<A>(cells, tokens)
  const { ids, shape } = tokens
  expectIds(ids, columns)
  const y = empty<A>(cells.engine, [...shape, inner])
  launch(cells.engine, 0, y, y)
  override(y.storage, cells.storage, ids, { type, inner, columns })
  return y
}

/** table (rows, width) with table[k, :] = sum of x[i, :] over ids[i] = k; the rows nobody names are zero. */
export const scatterAdd = <const A extends Axes>(x: Tensor, { ids }: Tokens, rows: number): Tensor<A> => {
  expectIds(ids, rows)
  if (x.size !== ids.length * lastLength(x))
    throw new ShapeError(`scatterAdd: ${ids.length} ids for shape [${x.shape}]`)
  const table = empty<A>(x.engine, [rows, lastLength(x)])
  launch(x.engine, x.size, x, table)
  x.engine.primitives.scatterAdd(table.storage, x.storage, ids, rows, lastLength(x))
  return table
}
