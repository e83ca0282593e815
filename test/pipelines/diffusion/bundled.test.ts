/** The bundled digits model: the same seed gives the same picture, and what it draws looks like what was asked for. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { lastValueFrom } from 'rxjs'
import test from 'tape'
import { bundledDigits } from '../../../pipelines/cli/modelPath.ts'
import { openDenoiser } from '../../../pipelines/diffusion/denoisingFolder.ts'
import { diffuse } from '../../../pipelines/diffusion/diffuse.ts'
import { readPictures } from '../../../pipelines/readPictures.ts'
import { digest } from '../../../pipelines/readText.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { toBytes } from '../../../src/format/pictures.ts'
import { withShared } from '../../shared.ts'

const SIZE = 28 * 28
const DIGITS = 10
const engine = wasmEngine()
const opened = openDenoiser(bundledDigits(), engine)
const draw = async (labels: readonly number[], seed = 0): Promise<Uint8Array> => {
  const { sample } = await lastValueFrom(diffuse(opened, engine, { labels, steps: 10, seed }))
  return toBytes(sample)
}

test('the bundled digits model draws the same seven for the same seed', async t => {
  const seven = await draw([7])
  t.equal(
    digest(seven),
    'ca8695fcecd3adc6de2333dc83aecf9c9161c58af9a891c96aa3ec055969bcfe',
    'DDIM, 10 steps, seed 0, on wasm',
  )
  t.notEqual(digest(await draw([7], 1)), digest(seven), 'control: another seed')
  t.ok(statSync(join(bundledDigits(), 'model.safetensors')).size < 4e6, 'under 4 MB')
  t.end()
})

test('what it draws is nearest to the mean of the class that was asked for', async t => {
  const set = withShared(t, 'data/mnist', readPictures)
  if (set === null) return t.end()
  const means = Array.from({ length: DIGITS }, () => new Float64Array(SIZE))
  const counts = new Float64Array(DIGITS)
  for (let i = 0; i < 6000; i++) counts[set.labels?.[i] ?? 0]++
  for (let i = 0; i < 6000; i++) {
    const label = set.labels?.[i] ?? 0
    for (let at = 0; at < SIZE; at++) (means[label] ?? counts)[at] += set.pixels[i * SIZE + at] / counts[label]
  }
  const labels = Array.from({ length: 3 * DIGITS }, (_, i) => i % DIGITS)
  const drawn = await draw(labels)
  const distance = (i: number, mean: Float64Array): number =>
    mean.reduce((sum, value, at) => sum + (value - drawn[i * SIZE + at]) ** 2, 0)
  const nearest = labels.map((_, i) => {
    const distances = means.map(mean => distance(i, mean))
    return distances.indexOf(Math.min(...distances))
  })
  const right = (asked: readonly number[]): number => asked.filter((label, i) => nearest[i] === label).length
  // Nearest means read 82 % of real digits.
  t.ok(right(labels) >= 22, `${right(labels)} of ${labels.length}`)
  t.ok(right(labels.map(label => (label + 1) % DIGITS)) < 10, 'control: other classes than those drawn')
  t.end()
})
