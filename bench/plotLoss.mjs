/**
 * The loss curve of a training run: `node bench/plotLoss.mjs <lines of fluxion train --json> <out.svg> [what the loss is]`.
 * Training loss is shown as the mean of every 20 steps, validation loss where it was measured.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse, View } from 'vega'
import { compile } from 'vega-lite'

const MEAN_OF = 20
const [source, out, title = 'loss, nats a token'] = process.argv.slice(2)
if (source === undefined || out === undefined) {
  console.error('usage: node bench/plotLoss.mjs <run.jsonl> <out.svg> [what the loss is]')
  process.exit(2)
}

const steps = readFileSync(source, 'utf8')
  .split('\n')
  .filter(line => line !== '')
  .map(line => JSON.parse(line))
const training = steps.map(({ step, loss }) => ({ step: Math.ceil(step / MEAN_OF) * MEAN_OF, loss, curve: 'training' }))
const validation = steps
  .filter(step => step.validation !== undefined)
  .map(({ step, validation: loss }) => ({ step, loss, curve: 'validation' }))

const encoding = {
  x: { field: 'step', type: 'quantitative', title: 'step' },
  y: { field: 'loss', type: 'quantitative', aggregate: 'mean', title, scale: { zero: false } },
  color: { field: 'curve', type: 'nominal', title: null },
}
const { spec } = compile({
  width: 640,
  height: 280,
  background: 'white',
  data: { values: [...training, ...validation] },
  layer: [
    { mark: 'line', encoding },
    { mark: { type: 'point', filled: true }, transform: [{ filter: "datum.curve === 'validation'" }], encoding },
  ],
})
writeFileSync(out, `${await new View(parse(spec), { renderer: 'none' }).toSVG()}\n`)
