import { ShapeError } from '../../src/errors.ts'
import { inverseOrder, permute } from '../../src/kernel/permute.ts'
import { type Pair, pairOf } from '../../src/kernel/window.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Hidden } from '../hidden.ts'
import type { Planes } from './planes.ts'

/** (batch, channels, rows, patch height, columns, patch width) -> (batch, rows, columns, channels, patch height, patch width). */
const ORDER = [0, 2, 4, 1, 3, 5]

const cut = (x: Planes, down: number, across: number): Hidden =>
  scope(() => {
    const [batch, channels, height, width] = x.shape
    const [rows, columns] = [height / down, width / across]
    return permute(x.share([batch, channels, rows, down, columns, across]), ORDER).share([
      batch,
      rows * columns,
      channels * down * across,
    ])
  })

const join = (x: Hidden, down: number, across: number, [height, width]: readonly [number, number]): Planes =>
  scope(() => {
    const [batch, , length] = x.shape
    const [rows, columns, channels] = [height / down, width / across, length / (down * across)]
    return permute(x.share([batch, rows, columns, channels, down, across]), inverseOrder(ORDER)).share([
      batch,
      channels,
      height,
      width,
    ])
  })

/**
 * Cuts planes into patches, row by row, each a vector (channels, patch height, patch width): (batch, channels, height, width) -> (batch, time, width).
 * A `linear` behind it is a convolution of that stride; a patch of 1 gives pixels. Source: Dosovitskiy et al., arXiv 2010.11929. Laws D5, T13.
 */
export const patchify = (patch: Pair): Operator<Planes, Hidden> => {
  const [down, across] = pairOf(patch)
  return (_, x) => {
    const [, , height, width] = x.shape
    if (height % down !== 0 || width % across !== 0)
      throw new ShapeError(`patchify: patches of [${patch}] do not fit planes [${height},${width}]`)
    return {
      value: cut(x, down, across),
      state: {},
      saved: [],
      pullback: dy => [{}, join(dy, down, across, [height, width])],
    }
  }
}

/** The inverse of `patchify`, and its adjoint, for planes [height, width]. Laws D5, T13. */
export const unpatchify = (patch: Pair, plane: readonly [height: number, width: number]): Operator<Hidden, Planes> => {
  const [down, across] = pairOf(patch)
  const count = (plane[0] / down) * (plane[1] / across)
  return (_, x) => {
    if (x.shape[1] !== count)
      throw new ShapeError(
        `unpatchify: planes [${plane}] have ${count} patches of [${patch}], found shape [${x.shape}]`,
      )
    return {
      value: join(x, down, across, plane),
      state: {},
      saved: [],
      pullback: dy => [{}, cut(dy, down, across)],
    }
  }
}
