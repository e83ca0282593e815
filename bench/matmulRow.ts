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
import { figure } from './results.ts'
import { multiplyAddNow } from './roofline.ts'
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
    /** In turn with what this thread can compute at that moment: processors' rates swing. */
    const beside = async (of: typeof matmul, ceiling: (() => number) | null) => {
      if (ceiling === null) return null
      const { ours: rates, theirs: ceilings } = await alternate(
        tools.pairs,
        () => gigaflops(n, of.milliseconds(times)),
        ceiling,
      )
      return {
        rate: median(rates),
        ceiling: median(ceilings),
        share: median(rates.map((rate, i) => rate / ceilings[i])),
      }
    }
    const fusing = engine.backend !== plainEngine.backend
    const relaxed = await beside(matmul, fusing ? await multiplyAddNow(true) : null)
    const simd = await beside(plain, await multiplyAddNow(false))
    const whole = await alternate(tools.pairs, ours, null)
    for (const each of [matmul, plain]) each.release()
    const best = measured.length === 0 ? null : measured.reduce((a, b) => (a.theirs >= b.theirs ? a : b))
    const value = best?.ours ?? median(whole.ours)
    const binaries = [
      { backend: engine.backend, of: relaxed },
      { backend: plainEngine.backend, of: simd },
    ].flatMap(({ backend, of }) => (of === null ? [] : [{ backend, ...of }]))
    return {
      value,
      peerValue: best?.theirs ?? null,
      ratio: higherIsBetter(value, best?.theirs ?? null),
      further: { [SHARE]: Math.min(...binaries.map(({ share }) => share)) },
      threads: THREADS,
      runs: tools.pairs,
      note: [
        ...binaries.map(
          ({ backend, rate, ceiling, share }) =>
            `${backend}: ${figure(rate)} GFLOP/s, ${(100 * share).toFixed(0)} % of the ${figure(ceiling)} that its instructions reach, measured in turn`,
        ),
        `${figure(median(whole.ours))} GFLOP/s with each product read back, as the peers are timed`,
        ...measured.map(({ version, theirs }) => `${version}: ${figure(theirs)} GFLOP/s`),
        ...reasons,
      ].join('; '),
      details: {
        ...Object.fromEntries(
          binaries.flatMap(({ backend, rate, ceiling }) => [
            [backend, rate],
            [`${backend}, ceiling`, ceiling],
          ]),
        ),
      },
    }
  },
})
