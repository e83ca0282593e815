import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { ParameterSpec } from '../src/initialize.ts'
import { empty } from '../src/tensor/tensor.ts'

/** What some work costs, as an engine's counter says. */
export interface Cost {
  /** Floating-point operations; a multiply and an add count two. */
  readonly flops: number
  /** Read and written by kernels. */
  readonly movedBytes: number
  /** Most at once. */
  readonly peakBytes: number
}

/** The cost of `work`, which runs on `engine` alone. */
export const cost = ({ counter }: Engine, work: () => void): Cost => {
  const { flops, movedBytes } = counter
  counter.peakBytes = counter.liveBytes
  work()
  return {
    flops: counter.flops - flops,
    movedBytes: counter.movedBytes - movedBytes,
    peakBytes: counter.peakBytes,
  }
}

/** Parameters of these shapes, of no values. */
export const declared = (specs: ReadonlyMap<string, ParameterSpec>, engine: Engine): Named =>
  Object.fromEntries(Array.from(specs, ([name, { shape }]) => [name, empty(engine, shape)]))
