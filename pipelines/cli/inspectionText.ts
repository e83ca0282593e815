/** What inspections of all kinds of models show, and how they measure. */
import type { Engine } from '../../src/engine/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import type { HostTensors } from '../../src/format/hostTensor.ts'
import type { Ceilings, Timed } from '../ceilings.ts'
import type { MeasuredPictures } from '../diffusion/measurePictures.ts'

export type Row = readonly [string, string]

/** Bytes in a unit that people read: 7.4 MB. */
export const bytes = (count: number): string => {
  const [unit = 'B', size = 1] = [['GB', 1e9] as const, ['MB', 1e6] as const, ['kB', 1e3] as const].find(
    ([, least]) => count >= least,
  ) ?? ['B', 1]
  return `${(count / size).toFixed(size === 1 ? 0 : 1)} ${unit}`
}

/** Names and values in two columns. */
export const table = (rows: readonly Row[]): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

/** What numbers of a checkpoint are stored as. */
export const typesOf = (tensors: HostTensors): readonly string[] => [
  ...new Set(Array.from(tensors.values(), ({ dtype }) => dtype)),
]

/** A measurement with so many threads. */
export type Measured<M> = M & { readonly threads: number }

/** On one thread, and on all that the engine has. */
export const measureAll = async <M>(
  engine: Engine,
  measure: (engine: Engine) => Promise<M>,
): Promise<readonly Measured<M>[]> => {
  const on = async (each: Engine, threads: number) => ({ threads, ...(await measure(each)) })
  const threads = 'threads' in engine && typeof engine.threads === 'number' ? engine.threads : 1
  return threads === 1 ? [await on(engine, 1)] : [await on(wasmEngine(), 1), await on(engine, threads)]
}

/** The ceilings of a measurement, and its times by name beside what they allow. */
export const measuredRows = (
  { threads, flopsPerSecond, bytesPerSecond }: Measured<Ceilings>,
  times: readonly (readonly [string, Timed])[],
): readonly Row[] => [
  [
    threads === 1 ? '1 thread' : `${threads} threads`,
    `matmul ${(flopsPerSecond / 1e9).toFixed(1)} GFLOP/s, matrix times row ${(bytesPerSecond / 1e9).toFixed(1)} GB/s`,
  ],
  ...times.map(
    ([name, { predictedMilliseconds, milliseconds }]): Row => [
      `  ${name}`,
      `${milliseconds.toPrecision(3)} ms, ${predictedMilliseconds.toPrecision(3)} ms predicted`,
    ],
  ),
]

/** Times of work on pictures, by their number. */
export const picturesRows = (
  passes: readonly MeasuredPictures[],
  doing = '',
): readonly (readonly [string, MeasuredPictures])[] =>
  passes.map(pass => [`${doing}${pass.pictures} ${pass.pictures === 1 ? 'picture' : 'pictures'}`, pass])
