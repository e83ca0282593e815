import { InputError, ShapeError } from '../errors.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import type { Tokens } from '../tensor/tokens.ts'
import { lastLength } from './axis.ts'
import { launch } from './launch.ts'

const expectIds = (ids: Int32Array, rows: number): void => {
  for (const id of ids)
    if (id < 0 || id >= rows) throw new InputError(`token id ${id} is not in the vocabulary of ${rows}`)
}

/** y[…, :] = table[ids[…], :]; table (rows, width). Adjoint: `scatterAdd` (law T10). */
export const gather = <const A extends Axes>(table: Tensor, { ids, shape }: Tokens): Tensor<A> => {
  const [rows, width] = table.shape
  if (rows === undefined || width === undefined || table.shape.length !== 2)
    throw new ShapeError(`gather takes a matrix, found shape [${table.shape}]`)
  expectIds(ids, rows)
  const y = empty<A>(table.engine, [...shape, width])
  launch(table.engine, 0, y, y)
  table.engine.primitives.gather(y.storage, table.storage, ids, rows, width)
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
