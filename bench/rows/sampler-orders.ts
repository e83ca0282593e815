/**
 * How the error of each sampler falls as its steps grow, on Gaussian data with the analytic denoiser: a table, and plots/sampler-orders.svg. Computed in f64 with
 * nothing drawn at random, by the code of law X7's tests.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ddim, ddpm, dpmSolver, euler, eulerMaruyama, heun } from '../../operators/diffusion/index.ts'
import {
  orderOf,
  type PathName,
  type Sharpness,
  sharpness,
  weakSharpness,
} from '../../test/operators/diffusion/gaussian.ts'
import { Absent, type Row } from '../row.ts'

const STEPS = [8, 16, 32, 64, 128, 256, 512, 1024]
const PATHS: readonly PathName[] = ['exploding', 'preserving', 'flow']

interface Curve {
  readonly name: string
  /** The published order; of samplers that draw noise, in distribution. */
  readonly order: number
  readonly points: (path: PathName) => readonly Sharpness[]
}

const CURVES: readonly Curve[] = [
  { name: 'Euler', order: 1, points: path => sharpness(euler, path, STEPS) },
  { name: 'DDIM', order: 1, points: path => sharpness(ddim(), path, STEPS) },
  { name: 'Heun', order: 2, points: path => sharpness(heun, path, STEPS) },
  { name: 'DPM-Solver++(2M)', order: 2, points: path => sharpness(dpmSolver, path, STEPS) },
  { name: 'DDPM', order: 1, points: path => weakSharpness(ddpm(), path, STEPS) },
  { name: 'Euler-Maruyama', order: 1, points: path => weakSharpness(eulerMaruyama, path, STEPS) },
]

const plot = (values: readonly Readonly<Record<string, number | string>>[]) => ({
  background: 'white',
  config: { aria: false },
  data: { values },
  facet: { field: 'path', type: 'nominal', title: null, sort: PATHS },
  spec: {
    width: 220,
    height: 260,
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'steps', type: 'quantitative', title: 'steps', scale: { type: 'log', base: 2 } },
      y: {
        field: 'error',
        type: 'quantitative',
        title: 'error of mean and deviation',
        scale: { type: 'log' },
        axis: { format: '.0e', tickCount: 8 },
      },
      color: { field: 'sampler', type: 'nominal', title: null, sort: CURVES.map(({ name }) => name) },
    },
  },
})

export const row: Row = {
  name: 'sampler-orders',
  title: "farthest that a sampler's measured order is from its published one",
  unit: 'orders',
  target: 'value <= 0.05',
  peer: 'theory',
  run: async ({ cache, node, say }) => {
    const found = PATHS.flatMap(path => CURVES.map(curve => ({ ...curve, path, points: curve.points(path) })))
    say(
      `  ${'path'.padEnd(11)}${'sampler'.padEnd(18)}${STEPS.map(steps => String(steps).padStart(9)).join('')}   order`,
    )
    for (const { path, name, points } of found) {
      const errors = points.map(({ error }) => error.toExponential(1).padStart(9)).join('')
      say(`  ${path.padEnd(11)}${name.padEnd(18)}${errors}   ${orderOf(points).toFixed(3)}`)
    }
    const file = join(dirname(cache), 'plots', 'sampler-orders.svg')
    let drawn = 'plots/sampler-orders.svg'
    try {
      const vega = await node('plot.mjs')
      const values = found.flatMap(({ path, name, points }) => points.map(point => ({ ...point, path, sampler: name })))
      const { svg } = await vega.ask({ do: 'draw', spec: plot(values) })
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, `${svg}\n`)
    } catch (error) {
      if (!(error instanceof Absent)) throw error
      drawn = `no plot (${error.message})`
    }
    const off = found.map(({ order, points }) => Math.abs(orderOf(points) - order))
    const orders = (path: PathName) =>
      found.filter(one => one.path === path).map(({ name, points }) => `${name} ${orderOf(points).toFixed(3)}`)
    return {
      value: Math.max(...off),
      peerValue: 0,
      ratio: null,
      threads: 1,
      runs: 1,
      note: `orders between ${STEPS.at(-2)} and ${STEPS.at(-1)} steps, variance-preserving path: ${orders('preserving').join(', ')}; ${drawn}`,
      details: Object.fromEntries(
        found.map(({ path, name, points }) => [`${name}, ${path}`, points.map(({ error }) => error)]),
      ),
    }
  },
}
