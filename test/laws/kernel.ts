/**
 * K1: on every engine a kernel is the reference's within its rounding bound. A kernel under test is a problem: f32 inputs and a run from tensors to
 * tensors. The reference gives the values, the rounding engine the bounds.
 */
import type { Engine } from '../../src/engine/engine.ts'
import type { Fused } from '../../src/engine/fused.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { Region } from '../../src/tensor/region.ts'
import { read, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { HostArray } from '../arbitraries/tensor.ts'
import { errorOf, roundingEngine } from '../kernel/rounding.ts'
import type { Discrepancy } from './operator.ts'

export type Run = (...inputs: Tensor[]) => readonly Tensor[]

export interface Problem {
  readonly label: string
  readonly inputs: readonly HostArray[]
  readonly run: Run
  /** The fused kernels it may use. */
  readonly fused: readonly (keyof Fused)[]
  /** A formula for the bound other than `run`'s derivation, where a fused kernel may round otherwise; it gives the same values. */
  readonly bounded: Run
}

/** A fused kernel may reassociate and rescale: up to twice the roundings of its derivation. */
const FUSED = 2

/** Runs a problem on an engine in a region of its own, closed after `use`. */
const on = async <T>(
  engine: Engine,
  inputs: readonly HostArray[],
  run: Run,
  use: (outputs: readonly Tensor[]) => T | Promise<T>,
): Promise<T> => {
  const region = new Region()
  try {
    const outputs = region.run(() => run(...inputs.map(({ shape, values }) => tensor(engine, shape, values))))
    return await use(outputs)
  } finally {
    region.close()
  }
}

/** What a problem's outputs are on an engine, on the host. */
export const outputsOf = async (engine: Engine, { inputs, run }: Problem): Promise<readonly HostArray[]> =>
  on(engine, inputs, run, outputs =>
    Promise.all(outputs.map(async x => ({ shape: x.shape, values: Float64Array.from(await read(x)) }))),
  )

const bounds = async (problem: Problem, run: Run): Promise<readonly Float64Array[]> =>
  on(roundingEngine(), problem.inputs, run, outputs => outputs.map(errorOf))

/** The largest error of an engine's results over its bound; a bound that bounds nothing breaks the law too. */
export const kernelDiscrepancy = async (engine: Engine, problem: Problem): Promise<Discrepancy> => {
  const expected = await outputsOf(referenceEngine(), problem)
  const derived = await bounds(problem, problem.run)
  const other = problem.bounded === problem.run ? derived : await bounds(problem, problem.bounded)
  const found = await outputsOf(engine, problem)
  const factor = problem.fused.some(name => engine.fused[name] !== undefined) ? FUSED : 1
  let worst: Discrepancy = { ratio: 0, at: 'nowhere' }
  expected.forEach(({ shape, values }, output) => {
    const result = found[output]
    if (result === undefined || result.shape.join() !== shape.join() || result.values.length !== values.length) {
      worst = { ratio: Number.POSITIVE_INFINITY, at: `output ${output}: shape [${result?.shape}], expected [${shape}]` }
      return
    }
    values.forEach((y, i) => {
      const z = result.values[i] ?? Number.NaN
      const bound = factor * Math.max(derived[output]?.[i] ?? Number.NaN, other[output]?.[i] ?? Number.NaN)
      const error = Object.is(y, z) ? 0 : Math.abs(y - z)
      const ratio = error === 0 && bound >= 0 && Number.isFinite(bound) ? 0 : error / bound
      const holds = Number.isFinite(bound) && ratio <= worst.ratio
      if (!holds)
        worst = {
          ratio: Number.isFinite(bound) && !Number.isNaN(ratio) ? ratio : Number.POSITIVE_INFINITY,
          at: `${problem.label}, output ${output}[${i}]: expected ${y}, found ${z}, bound ${bound}`,
        }
    })
  })
  return worst
}

export const K1 = {
  id: 'K1',
  name: 'kernel homomorphism: |engine(x) - reference(x)| within the running bound with γ_k = k u / (1 - k u)',
  holds: async (engine: Engine, problem: Problem): Promise<boolean> =>
    (await kernelDiscrepancy(engine, problem)).ratio <= 1,
}
