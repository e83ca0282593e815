import { ShapeError } from '../errors.ts'

/**
 * One time a row of a batch, in f64: the index of a noise level, the t of a flow, or whatever a model is conditioned on. Host numbers, like token ids:
 * not differentiable.
 */
export interface Times {
  readonly times: Float64Array
}

/** A time for each row, or one time for all of `batch` rows. */
export const times = (values: number | ArrayLike<number>, batch?: number): Times => {
  if (typeof values === 'number') return { times: new Float64Array(batch ?? 1).fill(values) }
  if (batch !== undefined && batch !== values.length)
    throw new ShapeError(`times: expected one for each of ${batch} rows, found ${values.length}`)
  return { times: Float64Array.from(values) }
}
