/** f32 matmul n x n x n, read back to the host, one thread, beside WebAssembly peers and the measured ceiling of this machine. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { matmul } from '../src/kernel/matmul.ts'
import { key } from '../src/random/key.ts'
import { uniform } from '../src/random/uniform.ts'
import { scope } from '../src/tensor/scope.ts'
import { readNow, tensor } from '../src/tensor/tensor.ts'
import { alternate, checkEqual, median } from './measure.ts'
import { benchEngine } from './ours.ts'
import { numberIn, numbersIn } from './peer.ts'
import { figure } from './results.ts'
import { roofline } from './roofline.ts'
import { higherIsBetter, orReason, type Row } from './row.ts'

/** Products of one measurement: about 50 ms at 50 GFLOP/s. */
const timesOf = (n: number): number => Math.max(2, Math.round(1.25e9 / n ** 3))

export const matmulRow = (n: number): Row => ({
  name: `matmul-${n}`,
  title: `f32 matmul ${n} x ${n} x ${n}`,
  unit: 'GFLOP/s',
  target: 'ratio >= 1.2',
  peer: 'the best of tfjs-wasm and jax-js',
  run: async tools => {
    const times = timesOf(n)
    const gigaflops = (milliseconds: number) => (2 * n ** 3) / milliseconds / 1e6
    const [x, y] = [1, 2].map(seed => Float32Array.from(uniform(key(seed), n * n), u => 2 * u - 1))
    if (x === undefined || y === undefined) throw new Error('two matrices')
    const files = { x: join(tools.cache, `matmul-${n}-x.f32`), y: join(tools.cache, `matmul-${n}-y.f32`) }
    writeFileSync(files.x, x)
    writeFileSync(files.y, y)
    const engine = benchEngine()
    const [left, right] = [
      tensor<readonly ['row', 'inner']>(engine, [n, n], x),
      tensor<readonly ['inner', 'column']>(engine, [n, n], y),
    ]
    const once = () => scope(() => readNow(matmul(left, right)))
    const ours = () => {
      const start = performance.now()
      for (let i = 0; i < times; i++) once()
      return gigaflops((performance.now() - start) / times)
    }
    const last = once().slice(-n)
    const measured: { readonly version: string; readonly ours: number; readonly theirs: number }[] = []
    const reasons: string[] = []
    for (const library of ['tfjs-wasm', 'jax-js']) {
      const peer = await orReason(tools.node('matmul.mjs', library))
      if (typeof peer === 'string') {
        reasons.push(peer)
        continue
      }
      const theirs = await peer.ask({ do: 'load', ...files, n })
      checkEqual(`last row of ${library}`, last, numbersIn(theirs, 'last'), 1e-4)
      const pairs = await alternate(tools.pairs, ours, async () =>
        gigaflops(numberIn(await peer.ask({ do: 'time', times }), 'milliseconds')),
      )
      measured.push({ version: peer.version, ours: median(pairs.ours), theirs: median(pairs.theirs) })
    }
    const alone = measured.length === 0 ? median((await alternate(tools.pairs, ours, null)).ours) : 0
    const { multiplyAdd, fused, read } = await roofline()
    const best = measured.length === 0 ? null : measured.reduce((a, b) => (a.theirs >= b.theirs ? a : b))
    const value = best?.ours ?? alone
    const ceiling = Math.max(multiplyAdd, fused ?? 0)
    left.release()
    right.release()
    return {
      value,
      peerValue: best?.theirs ?? null,
      ratio: higherIsBetter(value, best?.theirs ?? null),
      threads: 1,
      runs: tools.pairs,
      note: [
        engine.backend,
        ...measured.map(({ version, theirs }) => `${version}: ${figure(theirs)} GFLOP/s`),
        ...reasons,
        `ceiling ${figure(multiplyAdd)} GFLOP/s with separate multiply and add${fused === null ? '' : `, ${figure(fused)} fused`}; ours is ${((100 * value) / ceiling).toFixed(0)} % of the higher`,
      ].join('; '),
      details: { multiplyAdd, fused: fused ?? 'no relaxed SIMD', read },
    }
  },
})
