import type { Engine } from '../engine/engine.ts'
import { ShapeError } from '../errors.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** What an exp, erf, tanh or sigmoid counts for in kernels that do little else. */
export const TRANSCENDENTAL_FLOPS = 8

/**
 * Counts one launch of a kernel: `flops` operations over these tensors, each moved once. Every public kernel calls it before its engine,
 * so all engines, the `shape` engine included, report the same cost for the same work.
 */
export const launch = (engine: Engine, flops: number, ...moved: readonly (Tensor | null)[]): void => {
  let size = 0
  for (const x of moved) {
    if (x === null) continue
    if (x.engine !== engine)
      throw new ShapeError(
        `operands live on two engines, ${engine.name} and ${x.engine.name}: read and write one of them across`,
      )
    size += x.size
  }
  const count = engine.counter
  count.launches++
  count.flops += flops
  count.movedBytes += size * engine.bytesPerElement
}
