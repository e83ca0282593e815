/**
 * f32 matmul n x n x n, one thread: read back to the host beside WebAssembly peers, and both binaries, without reading back, beside the
 * measured ceiling of this machine.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wasmEngine } from '../src/engine/wasm/engine.ts'
import { gigaflops, matmulOf, squareOf, timesOf } from './matmul.ts'
import { alternate, checkEqual, median } from './measure.ts'
import { benchEngine } from './ours.ts'
import { numberIn, numbersIn } from './peer.ts'
import { figure, percent, share } from './results.ts'
import { roofline } from './roofline.ts'
import { higherIsBetter, orReason, type Row } from './row.ts'

const THREADS = 1
const SHARE = 'share of the SIMD ceiling, either binary'

export const matmulRow = (n: number): Row => ({
  name: `matmul-${n}`,
  title: `f32 matmul ${n} x ${n} x ${n}`,
  unit: 'GFLOP/s',
  target: 'ratio >= 1.2',
  further: { [SHARE]: '>= 0.9' },
  peer: 'the best of tfjs-wasm, jax-js and gpu.js',
  run: async tools => {
    const times = timesOf(n)
    const [x, y] = [squareOf(n, 1), squareOf(n, 2)]
    const files = { x: join(tools.cache, `matmul-${n}-x.f32`), y: join(tools.cache, `matmul-${n}-y.f32`) }
    writeFileSync(files.x, x)
    writeFileSync(files.y, y)
    const engine = benchEngine(THREADS)
    const matmul = matmulOf(engine, n, x, y)
    const ours = () => gigaflops(n, matmul.readBack(times))
    const last = matmul.once().slice(-n)
    const measured: { readonly version: string; readonly ours: number; readonly theirs: number }[] = []
    const reasons: string[] = []
    // One product of gpu.js takes as long as many of the others'.
    for (const [library, each] of [
      ['tfjs-wasm', times],
      ['jax-js', times],
      ['gpu.js-webasm', 1],
      ['gpu.js-cpu', 1],
    ] as const) {
      const peer = await orReason(tools.node('matmul.mjs', library))
      if (typeof peer === 'string') {
        reasons.push(peer)
        continue
      }
      const theirs = await peer.ask({ do: 'load', ...files, n })
      checkEqual(`last row of ${library}`, last, numbersIn(theirs, 'last'), 1e-4)
      const pairs = await alternate(tools.pairs, ours, async () =>
        gigaflops(n, numberIn(await peer.ask({ do: 'time', times: each }), 'milliseconds')),
      )
      peer.stop()
      measured.push({ version: peer.version, ours: median(pairs.ours), theirs: median(pairs.theirs) })
    }
    const plainEngine = wasmEngine({ threads: THREADS, relaxed: false })
    const plain = matmulOf(plainEngine, n, x, y)
    checkEqual('last row of the other binary', last, plain.once().slice(-n), 1e-4)
    const before = await roofline(THREADS)
    const both = await alternate(
      tools.pairs,
      () => gigaflops(n, matmul.milliseconds(times)),
      () => gigaflops(n, plain.milliseconds(times)),
    )
    const { multiplyAdd, fused } = await roofline(THREADS, before)
    const whole = await alternate(tools.pairs, ours, null)
    for (const each of [matmul, plain]) each.release()
    const best = measured.length === 0 ? null : measured.reduce((a, b) => (a.theirs >= b.theirs ? a : b))
    const value = best?.ours ?? median(whole.ours)
    // The ceiling is a peak: so is what is held against it.
    const relaxed = { backend: engine.backend, rate: Math.max(...both.ours), ceiling: fused ?? multiplyAdd }
    const simd = { backend: plainEngine.backend, rate: Math.max(...both.theirs), ceiling: multiplyAdd }
    const binaries = relaxed.backend === simd.backend ? [simd] : [relaxed, simd]
    const shares = binaries.map(({ rate, ceiling }) => share(rate, ceiling))
    return {
      value,
      peerValue: best?.theirs ?? null,
      ratio: higherIsBetter(value, best?.theirs ?? null),
      further: { [SHARE]: shares.reduce((a, b) => (a === null || b === null ? null : Math.min(a, b))) },
      threads: THREADS,
      runs: tools.pairs,
      note: [
        ...binaries.map(
          ({ backend, rate, ceiling }) =>
            `${backend}: ${figure(rate)} GFLOP/s at best, ${percent(rate, ceiling)} of the ${figure(ceiling)} that its instructions reach`,
        ),
        `${figure(median(whole.ours))} GFLOP/s with each product read back, as the peers are timed`,
        ...measured.map(({ version, theirs }) => `${version}: ${figure(theirs)} GFLOP/s`),
        ...reasons,
      ].join('; '),
      details: {
        multiplyAdd,
        fused: fused ?? 'no relaxed SIMD',
        ...Object.fromEntries(binaries.map(({ backend, rate }) => [backend, rate])),
      },
    }
  },
})
