/** The transport distance of 10,000 generated points from 10,000 of two moons, judged by POT: a row for each way of pairing. */
import * as t from 'io-ts'
import { wasmEngine } from '../src/engine/wasm/engine.ts'
import { mean } from './measure.ts'
import { type Coupling, moons, settings } from './moons.ts'
import { numberIn } from './peer.ts'
import { remember } from './remember.ts'
import { lowerIsBetter, type Row } from './row.ts'

export interface MoonsRow {
  readonly name: string
  readonly title: string
  readonly coupling: Coupling
  /** Mean of ten runs, arXiv 2503.10636, figure 1. */
  readonly published: number
  /** Upper end of the band to reach. */
  readonly band: number
}

const SEEDS = [1, 2]
/** All cores: what is measured is a distance, and bits do not depend on threads. */
const THREADS = 2

const Outcome = t.readonly(
  t.type({
    distance: t.number,
    last: t.number,
    loss: t.number,
    evaluations: t.number,
    training: t.number,
    sampling: t.number,
  }),
)

export const moonsRow = ({ name, title, coupling, published, band }: MoonsRow): Row => ({
  name,
  title: `W2² of ${title}, 20,000 steps`,
  unit: 'squared distance',
  target: `value <= ${band}`,
  peer: 'published (PyTorch)',
  run: async ({ cache, python, say }) => {
    const judge = await python('wasserstein.py')
    const outcome = (seed: number) =>
      remember(cache, name, { ...settings, coupling, seed }, Outcome, async () => {
        const engine = wasmEngine({ threads: THREADS })
        try {
          const { averaged, last, target: y, ...rest } = await moons(engine, coupling, seed, { say })
          const distance = async (x: readonly number[]) =>
            numberIn(await judge.ask({ do: 'distance', x, y }), 'squared')
          return { ...rest, distance: await distance(averaged), last: await distance(last) }
        } finally {
          engine.close()
        }
      })
    const results: t.TypeOf<typeof Outcome>[] = []
    const commits = new Set<string>()
    for (const seed of SEEDS) {
      const { result, from } = await outcome(seed)
      results.push(result)
      commits.add(from)
      const { distance, last, training, sampling } = result
      say(
        `  seed ${seed}: W2² ${last.toFixed(4)}, of averaged weights ${distance.toFixed(4)}; trained in ${training.toFixed(0)} s, sampled in ${sampling.toFixed(0)} s (${from})`,
      )
    }
    const distances = results.map(({ last }) => last)
    const value = mean(distances)
    const of = (figure: (result: t.TypeOf<typeof Outcome>) => number, digits = 0) =>
      mean(results.map(figure)).toFixed(digits)
    return {
      value,
      peerValue: published,
      ratio: lowerIsBetter(value, published),
      threads: THREADS,
      runs: SEEDS.length,
      note: `mean of seeds ${SEEDS.join(', ')}, the last weights as published: ${distances.map(x => x.toFixed(4)).join(', ')}; of weights averaged over about ${Math.round(1 / (1 - settings.decay))} steps ${results.map(({ distance }) => distance.toFixed(4)).join(', ')}; ${of(({ evaluations }) => evaluations)} evaluations of the network by Dormand-Prince at ${settings.tolerance}; training ${of(({ training }) => training)} s, 10,000 points ${of(({ sampling }) => sampling, 1)} s a seed; trained at ${[...commits].join(', ')}; distances by ${judge.version}`,
      details: {
        distances,
        averaged: results.map(({ distance }) => distance),
        losses: results.map(({ loss }) => loss),
        evaluations: results.map(({ evaluations }) => evaluations),
        trainingSeconds: results.map(({ training }) => training),
        samplingSeconds: results.map(({ sampling }) => sampling),
      },
    }
  },
})
