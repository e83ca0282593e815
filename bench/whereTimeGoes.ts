/** A step's milliseconds by kind of kernel, and each kind's share of what this machine can do at most. */
import type { Engine } from '../src/engine/engine.ts'
import { kernelTimes } from './kernelTimes.ts'
import { figure, percent } from './results.ts'
import { type Roofline, roofline } from './roofline.ts'

/** Kinds bound by computing: the others are bound by the bytes that they read and write. */
const COMPUTING: ReadonlySet<string> = new Set(['products', 'attention'])

/** `work` takes `steps` steps on an engine and gives the milliseconds of one; `before` is a roofline of as many threads. */
export const whereTimeGoes = async (
  engine: Engine,
  { steps, before }: { readonly steps: number; readonly before: Roofline },
  work: () => Promise<number>,
) => {
  let step = 0
  const times = await kernelTimes(engine, async () => {
    step = await work()
  })
  const { threads, multiplyAdd, fused, read } = await roofline(before.threads, before)
  const ceiling = Math.max(multiplyAdd, fused ?? 0)
  const kinds = [...times]
    .filter(([, { milliseconds }]) => milliseconds > 0)
    .sort(([, a], [, b]) => b.milliseconds - a.milliseconds)
    .map(([kind, { milliseconds, flops, bytes }]) => {
      const computing = COMPUTING.has(kind)
      const rate = (computing ? flops : bytes) / milliseconds / 1e6
      // What stays in caches moves faster than memory: no error.
      const share = computing ? percent(rate, ceiling) : `${((100 * rate) / read).toFixed(0)} %`
      const said = `${kind} ${figure(milliseconds / steps)} (${figure(rate)} ${computing ? 'GFLOP/s' : 'GB/s'}, ${share})`
      return { kind, time: milliseconds / steps, rate, share: rate / (computing ? ceiling : read), said }
    })
  const host = step - kinds.reduce((sum, { time }) => sum + time, 0)
  return {
    note: `a step in ms, with its share of ${figure(ceiling)} GFLOP/s or ${figure(read)} GB/s from memory on ${threads} threads (more from caches): ${kinds.map(({ said }) => said).join(', ')}, the host's own work ${figure(host)}`,
    details: {
      ...Object.fromEntries(
        kinds.flatMap(({ kind, time, rate, share }) => [
          [`${kind}, ms`, time],
          [`${kind}, ${COMPUTING.has(kind) ? 'GFLOP/s' : 'GB/s'}`, rate],
          [`${kind}, share`, share],
        ]),
      ),
      "the host's own work, ms": host,
      'ceiling, GFLOP/s': ceiling,
      'ceiling, GB/s': read,
    },
  }
}
