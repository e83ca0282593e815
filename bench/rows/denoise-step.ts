/** One denoising step of 16 pictures with the bundled diffusion model's U-Net: its prediction and DDIM's move. */
import { alternate, checkEqual, median } from '../measure.ts'
import { benchEngine, THREADS } from '../ours.ts'
import { numberIn, numbersIn, type Peer } from '../peer.ts'
import { besideFastest } from '../peerThreads.ts'
import { figure } from '../results.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'
import { gigaflops, levels, loadInto, unetBatch, unetDenoiser } from '../unetBench.ts'

/** Of one measurement: as many as a picture takes. */
const STEPS = 30
const BATCH = 16

export const row: Row = {
  name: 'denoise-step',
  title: 'denoising step of 16 pictures, a U-Net of 0.7 M parameters, 28 x 28 pixels',
  unit: 'ms',
  target: 'ratio >= 0.7',
  peer: 'PyTorch, best of one or two threads',
  run: async tools => {
    const engine = benchEngine()
    const batch = unetBatch(BATCH)
    const denoise = unetDenoiser(engine)
    const ask = (peer: Peer, steps: number) => peer.ask({ do: 'denoise', steps, ...levels, ...batch })
    const beside = async (name: string, peer: Peer | string) => {
      if (typeof peer === 'string') return { name, reason: peer, ours: [], theirs: [] }
      const load = (threads: number) => loadInto(peer, tools.cache, threads)
      await load(THREADS)
      const worst = checkEqual(name, denoise(batch, 1).sample, numbersIn(await ask(peer, 1), 'sample'), 1e-3)
      const step = () => denoise(batch, STEPS).milliseconds / STEPS
      const theirs = async () => numberIn(await ask(peer, STEPS), 'milliseconds') / STEPS
      const { note, ...pairs } = await besideFastest(tools.pairs, load, step, theirs)
      return { name: peer.version, reason: `${note}; samples equal within ${worst.toExponential(0)}`, ...pairs }
    }
    const work = gigaflops(engine, () => denoise(batch, 1))
    const torch = await beside('PyTorch', await orReason(tools.python('unet.py')))
    const tfjs = await beside('tfjs-wasm', await orReason(tools.node('unet.mjs')))
    const alone = async () =>
      (await alternate(tools.pairs, () => denoise(batch, STEPS).milliseconds / STEPS, null)).ours
    const value = median([torch.ours, tfjs.ours].find(({ length }) => length > 0) ?? (await alone()))
    const peerValue = torch.theirs.length > 0 ? median(torch.theirs) : null
    const line = ({ name, reason, ours, theirs }: typeof torch): string =>
      theirs.length === 0
        ? `${name}: ${reason}`
        : `${name}: ${figure(median(theirs))} ms, ${figure(median(theirs) / median(ours))} times ours, ${reason}`
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        engine.backend,
        line(torch),
        line(tfjs),
        `${figure(value / BATCH)} ms a picture`,
        `${figure(work)} GFLOP a step counted directly: ${figure(work / (value / 1e3))} GFLOP/s`,
      ].join('; '),
      details: {
        'ours beside PyTorch': torch.ours,
        PyTorch: torch.theirs,
        'GFLOP a step': work,
        'ours beside tfjs-wasm': tfjs.ours,
        'tfjs-wasm': tfjs.theirs,
      },
    }
  },
}
