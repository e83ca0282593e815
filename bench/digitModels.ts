/**
 * The models beside the bundled one: a U-Net told no classes, and latent diffusion told words through cross-attention, by the recipes of `train-diffusion` and
 * `train-autoencoder`. Trained here by fluxion, some minutes each, into folders of the cache: rows train them with --remeasure-peers and otherwise take what is there.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { lastValueFrom, type Observable, tap } from 'rxjs'
import { openAutoencoder, readAutoencoder } from '../pipelines/diffusion/autoencoderFolder.ts'
import {
  autoencoderTrainingFolder,
  trainAutoencoderInFolder,
} from '../pipelines/diffusion/autoencoderTrainingFolder.ts'
import type { Frame } from '../pipelines/diffusion/denoise.ts'
import { openDenoiser } from '../pipelines/diffusion/denoisingFolder.ts'
import { denoisingTrainingFolder, trainDenoiserInFolder } from '../pipelines/diffusion/denoisingTrainingFolder.ts'
import { diffuse } from '../pipelines/diffusion/diffuse.ts'
import { folderSource } from '../pipelines/folder.ts'
import { CONFIG } from '../pipelines/modelFiles.ts'
import { readPictures } from '../pipelines/readPictures.ts'
import type { RunStep } from '../pipelines/runTraining.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { PictureSet } from '../src/format/pictures.ts'
import { scope } from '../src/tensor/scope.ts'
import { read, tensor } from '../src/tensor/tensor.ts'
import { Absent, type Tools } from './row.ts'

/** How a model of digits is asked for pictures of these classes. */
export interface DigitDraw {
  readonly labels: Int32Array
  readonly steps: number
  readonly guidance: number
  readonly seed: number
}

/** The pictures (count, 1, 28, 28) on [-1, 1], as the last of frames. */
export type DrawDigits = (draw: DigitDraw) => Observable<Frame>

const NUMERALS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
/** What a digit may be called; the first is what samples ask for. */
const captions = NUMERALS.map((word, digit) => [`a ${word}`, word, `the digit ${word}`, `${digit}`, `a ${digit}`])

/** All training digits are trained on. */
const whole = { validation: 0, evaluateEvery: 0 }

/** The folder that a training leaves in the cache. Without --remeasure-peers nothing is trained: `Absent`. */
const kept = async (
  { cache, remeasurePeers, say }: Tools,
  name: string,
  train: (out: string) => Promise<Observable<RunStep<unknown>>>,
): Promise<string> => {
  const out = join(cache, name)
  if (existsSync(join(out, CONFIG))) return out
  if (!remeasurePeers) throw new Absent(`not trained on this machine (--remeasure-peers trains it)`)
  let mean = 0
  const shown = tap(({ step, loss }: RunStep<unknown>) => {
    mean += loss / 200
    if (step % 200 !== 0) return
    say(`  ${name}, step ${step}: loss ${mean.toFixed(4)}`)
    mean = 0
  })
  await lastValueFrom((await train(out)).pipe(shown))
  return out
}

const mnist = ({ shared }: Tools): PictureSet => readPictures(dirname(shared('data/mnist/train-images-idx3-ubyte.gz')))

/** The network of the bundled model, on pictures alone. */
export const unconditionalDigits = async (engine: Engine, tools: Tools): Promise<DrawDigits> => {
  const folder = await kept(tools, 'digits-unconditional', async out => {
    const pictures = { ...mnist(tools), labels: null, classes: [] }
    return trainDenoiserInFolder(
      await denoisingTrainingFolder({ out, pictures, engine, own: { ...whole, seed: 2 }, resume: true }),
    )
  })
  const opened = openDenoiser(folder, engine)
  return ({ labels, ...options }) =>
    diffuse(opened, engine, { ...options, labels: new Int32Array(labels.length), lastOnly: true })
}

export interface LatentDigits {
  readonly draw: DrawDigits
  /** Pictures (count, 1, 28, 28) through the autoencoder and back. */
  readonly through: (pictures: Float32Array) => Promise<Float32Array>
}

/** A VAE from 28 x 28 pixels to latents (4, 7, 7), and a U-Net over those that reads "a seven" through cross-attention. */
export const latentDigits = async (engine: Engine, tools: Tools): Promise<LatentDigits> => {
  const coder = await kept(tools, 'digits-vae', async out =>
    trainAutoencoderInFolder(
      await autoencoderTrainingFolder({
        out,
        pictures: mnist(tools),
        engine,
        own: { ...whole, seed: 3 },
        resume: true,
      }),
    ),
  )
  const folder = await kept(tools, 'digits-latent', async out => {
    const latent = readAutoencoder(folderSource(coder))
    const own = { ...whole, seed: 4 }
    return trainDenoiserInFolder(
      await denoisingTrainingFolder({ out, pictures: mnist(tools), latent, captions, engine, own, resume: true }),
    )
  })
  const opened = openDenoiser(folder, engine)
  const draw: DrawDigits = options => diffuse(opened, engine, { ...options, lastOnly: true })
  const { encode, decode } = openAutoencoder(coder, engine)
  const through = async (pictures: Float32Array): Promise<Float32Array> => {
    const all = new Float32Array(pictures.length)
    const size = 100 * 28 * 28
    for (let at = 0; at < pictures.length; at += size) {
      const part = pictures.subarray(at, at + size)
      const { data } = scope(() => {
        const x = tensor(engine, [part.length / 784, 1, 28, 28], part)
        return { data: read(decode(encode(x))) }
      })
      all.set(await data, at)
    }
    return all
  }
  return { draw, through }
}
