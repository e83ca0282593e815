import * as t from 'io-ts'
import test from 'tape'
import { bundledDigits } from '../../../pipelines/cli/modelPath.ts'
import { readDenoiser } from '../../../pipelines/diffusion/denoisingFiles.ts'
import { folderSource } from '../../../pipelines/folder.ts'
import { fluxion, jsonLines } from './harness.ts'

const OfPicture = t.type({ denoise: t.number, train: t.number })
const Timed = t.type({
  pictures: t.number,
  flops: t.number,
  bytes: t.number,
  predictedMilliseconds: t.number,
  milliseconds: t.number,
})
const Inspected = t.type({
  parameters: t.number,
  tensors: t.array(t.type({ name: t.string, shape: t.array(t.number), elements: t.number })),
  picture: t.array(t.number),
  classes: t.array(t.string),
  flops: OfPicture,
  bytes: OfPicture,
  memory: t.intersection([OfPicture, t.type({ parameters: t.number })]),
  measured: t.array(t.type({ flopsPerSecond: t.number, bytesPerSecond: t.number, denoise: t.array(Timed) })),
})

test('inspect opens a diffusion model: the shapes of its file, costs as kernels count them', async t => {
  const { code, stdout } = await fluxion(['inspect', bundledDigits(), '--json'])
  t.equal(code, 0)
  const [line] = jsonLines(stdout).filter(Inspected.is)
  if (line === undefined) return t.fail(stdout)
  const { config, tensors } = readDenoiser(folderSource(bundledDigits()))
  t.deepEqual(
    new Map(line.tensors.map(({ name, shape }) => [name, shape])),
    new Map(Array.from(tensors, ([name, { shape }]) => [name, [...shape]])),
  )
  t.equal(
    line.parameters,
    line.tensors.reduce((sum, { elements }) => sum + elements, 0),
  )
  t.deepEqual([line.picture, line.classes], [[1, 28, 28], config.class_names])
  // 2 FLOPs a weight and a place of the plane: every convolution of this network slides over at least 7 x 7 places.
  const windows = line.tensors.filter(({ shape }) => shape.length === 4)
  const least = windows.reduce((sum, { elements }) => sum + 2 * 49 * elements, 0)
  t.ok(line.flops.denoise > least, `${line.flops.denoise} FLOPs, of convolutions at least ${least}`)
  const training = line.flops.train / (3 * line.flops.denoise)
  t.ok(training > 0.9 && training < 1.1, `training is three times denoising: ${training.toFixed(3)}`)
  t.equal(line.memory.parameters, 4 * line.parameters, 'f32')
  t.ok(line.memory.denoise > line.memory.parameters && line.memory.train > line.memory.denoise)
  for (const { flopsPerSecond, bytesPerSecond, denoise } of line.measured) {
    const [one, many] = denoise
    t.deepEqual([one?.pictures, many?.pictures], [1, 16])
    t.deepEqual([one?.flops, one?.bytes], [line.flops.denoise, line.bytes.denoise], 'as predicted')
    t.equal(many?.flops, 16 * line.flops.denoise)
    for (const { flops, bytes, predictedMilliseconds, milliseconds } of denoise) {
      t.equal(predictedMilliseconds, 1000 * Math.max(flops / flopsPerSecond, bytes / bytesPerSecond), 'the roofline')
      t.ok(milliseconds > 0, `${milliseconds} ms`)
    }
  }
  const shown = await fluxion(['inspect', bundledDigits(), '--no-measure'])
  t.ok(/model +unet that predicts v on the cosine schedule/.test(shown.stdout), 'as text')
})
