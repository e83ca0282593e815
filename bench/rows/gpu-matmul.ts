/** A chain of f32 products n x n x n on WebGPU, one row read back, beside jax-js and gpu.js on the same GPU and its measured ceiling. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { matmul } from '../../src/kernel/matmul.ts'
import { slice } from '../../src/kernel/slice.ts'
import { key } from '../../src/random/key.ts'
import { uniform } from '../../src/random/uniform.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { gpuRoofline, openGpu } from '../gpu.ts'
import { alternate, checkEqual, median } from '../measure.ts'
import { numberIn, numbersIn } from '../peer.ts'
import { figure, percent } from '../results.ts'
import { higherIsBetter, orReason, type Row } from '../row.ts'

export const row: Row = {
  name: 'gpu-matmul',
  title: 'f32 matmul 4096 x 4096 x 4096 on WebGPU',
  unit: 'GFLOP/s',
  target: 'ratio >= 1',
  peer: 'jax-js on WebGPU',
  run: async tools => {
    const { engine, trial } = await openGpu()
    const [n, times] = trial === '' ? [4096, 10] : [128, 2]
    const gigaflops = (milliseconds: number) => (2 * n ** 3) / milliseconds / 1e6
    // Products of products keep their size.
    const size = Math.sqrt(3 / n)
    const [x, y] = [1, 2].map(seed => Float32Array.from(uniform(key(seed), n * n), u => size * (2 * u - 1)))
    if (x === undefined || y === undefined) throw new Error('two matrices')
    const files = { x: join(tools.cache, 'gpu-matmul-x.f32'), y: join(tools.cache, 'gpu-matmul-y.f32') }
    writeFileSync(files.x, x)
    writeFileSync(files.y, y)
    type Square = Tensor<readonly ['row', 'row']>
    const [left, right]: readonly Square[] = [tensor(engine, [n, n], x), tensor(engine, [n, n], y)]
    if (left === undefined || right === undefined) throw new Error('two matrices')
    const chain = async (count: number) => {
      const last = scope(() => {
        let z = right
        for (let i = 0; i < count; i++) z = matmul(left, z)
        return slice(z, 0, n - 1, 1)
      })
      const values = await read(last)
      last.release()
      return values
    }
    const ours = async () => {
      const start = performance.now()
      await chain(times)
      return gigaflops((performance.now() - start) / times)
    }
    const measured = new Map<string, { readonly version: string; readonly ours: number; readonly theirs: number }>()
    const reasons: string[] = []
    try {
      for (const library of ['jax-js', 'gpu.js']) {
        tools.say(`bench: gpu-matmul: ${library}`)
        const peer = await orReason(tools.node('gpuMatmul.mjs', library))
        if (typeof peer === 'string') {
          reasons.push(peer)
          continue
        }
        const theirs = await peer.ask({ do: 'load', ...files, n })
        checkEqual(`last row of ${library}`, await chain(1), numbersIn(theirs, 'last'), 1e-3)
        const pairs = await alternate(tools.pairs, ours, async () =>
          gigaflops(numberIn(await peer.ask({ do: 'time', times }), 'milliseconds')),
        )
        measured.set(library, { version: peer.version, ours: median(pairs.ours), theirs: median(pairs.theirs) })
        peer.stop()
      }
      const jax = measured.get('jax-js')
      const value = jax?.ours ?? median((await alternate(tools.pairs, ours, null)).ours)
      const { fused, read: bandwidth } = await gpuRoofline(trial !== '')
      return {
        value,
        peerValue: jax?.theirs ?? null,
        ratio: higherIsBetter(value, jax?.theirs ?? null),
        threads: 1,
        runs: tools.pairs,
        trial,
        note: [
          `${engine.adapter}, ${n} x ${n} x ${n}, each run a chain of ${times}`,
          ...[...measured.values()].map(({ version, theirs }) => `${version}: ${figure(theirs)} GFLOP/s`),
          ...reasons,
          `ours is ${percent(value, fused)} of the ${figure(fused)} GFLOP/s that fused multiply-adds from registers reach`,
        ].join('; '),
        details: {
          fused,
          read: bandwidth,
          ...Object.fromEntries([...measured].map(([library, { theirs }]) => [library, theirs])),
        },
      }
    } finally {
      for (const path of Object.values(files)) rmSync(path, { force: true })
      await engine.destroy()
    }
  },
}
