/** One training step of the bundled diffusion model's U-Net, batch 32: forward, backward, clip to norm 1, AdamW. */
import { alternate, checkEqual, median } from '../measure.ts'
import { benchEngine, THREADS } from '../ours.ts'
import { numberIn, numbersIn, type Peer } from '../peer.ts'
import { besideFastest } from '../peerThreads.ts'
import { figure } from '../results.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'
import { CHECKED_STEPS, LOSS_TOLERANCE } from '../trainingRow.ts'
import { gigaflops, loadInto, unetBatch, unetTrainer } from '../unetBench.ts'

/** Of one measurement. */
const STEPS = 5
const BATCH = 32

export const row: Row = {
  name: 'unet-step',
  title: 'training step of a U-Net of 0.7 M parameters, 28 x 28 pixels, batch 32',
  unit: 'ms',
  target: 'ratio >= 0.7',
  peer: 'PyTorch, best of one or two threads',
  run: async tools => {
    const engine = benchEngine()
    const batch = unetBatch(BATCH)
    const train = unetTrainer(engine)
    const torch = await orReason(tools.python('unet.py'))
    const ask = (steps: number) =>
      typeof torch === 'string' ? Promise.reject(new Error(torch)) : torch.ask({ do: 'train', steps, ...batch })
    const step = () => train(batch, STEPS).milliseconds / STEPS
    const work = gigaflops(engine, () => train(batch, 1))
    const beside = async (peer: Peer) => {
      const load = (threads: number) => loadInto(peer, tools.cache, threads)
      await load(THREADS)
      const fresh = unetTrainer(engine)
      const worst = checkEqual(
        'losses',
        fresh(batch, CHECKED_STEPS).losses,
        numbersIn(await ask(CHECKED_STEPS), 'losses'),
        LOSS_TOLERANCE,
      )
      const theirStep = async () => numberIn(await ask(STEPS), 'milliseconds') / STEPS
      const measured = await besideFastest(tools.pairs, load, step, theirStep)
      const note = `${peer.version}: ${measured.note}; losses of ${CHECKED_STEPS} steps equal within ${worst.toExponential(0)}`
      return { ...measured, note }
    }
    const { ours, theirs, note } =
      typeof torch === 'string' ? { ...(await alternate(tools.pairs, step, null)), note: torch } : await beside(torch)
    const value = median(ours)
    const peerValue = theirs.length === 0 ? null : median(theirs)
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        engine.backend,
        note,
        `${figure(work)} GFLOP a step counted directly: ${figure(work / (value / 1e3))} GFLOP/s`,
        "tfjs-wasm cannot train it: it lacks the gradient of conv2d's filter",
      ].join('; '),
      details: { ours, theirs, 'GFLOP a step': work },
    }
  },
}
