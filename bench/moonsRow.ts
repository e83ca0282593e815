/** The transport distance of 10,000 generated points from 10,000 of two moons, judged by POT: a row for each way of pairing. */
import { mean } from './measure.ts'
import { type Coupling, moons } from './moons.ts'
import { benchEngine, THREADS } from './ours.ts'
import { numberIn } from './peer.ts'
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

const SEEDS = [1, 2, 3]

export const moonsRow = ({ name, title, coupling, published, band }: MoonsRow): Row => ({
  name,
  title: `W2² of ${title}, 20,000 steps`,
  unit: 'squared distance',
  target: `value <= ${band}`,
  peer: 'published (PyTorch)',
  run: async tools => {
    const judge = await tools.python('wasserstein.py')
    const distances: number[] = []
    const evaluations: number[] = []
    let seconds = 0
    for (const seed of SEEDS) {
      const result = await moons(benchEngine(), coupling, seed, { say: tools.say })
      const { generated: x, target: y } = result
      distances.push(numberIn(await judge.ask({ do: 'distance', x, y }), 'squared'))
      evaluations.push(result.evaluations)
      seconds += result.seconds / SEEDS.length
      tools.say(`  seed ${seed}: ${distances.at(-1)?.toFixed(4)}, ${result.seconds.toFixed(0)} s`)
    }
    const value = mean(distances)
    const show = distances.map(x => x.toFixed(4)).join(', ')
    return {
      value,
      peerValue: published,
      ratio: lowerIsBetter(value, published),
      threads: THREADS,
      runs: SEEDS.length,
      note: `mean of seeds ${SEEDS.join(', ')}: ${show}; ${mean(evaluations).toFixed(0)} evaluations of the network by Dormand-Prince at 1e-4; training and sampling ${seconds.toFixed(0)} s a seed; distances by ${judge.version}`,
      details: { distances, evaluations },
    }
  },
})
