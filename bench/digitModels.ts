/**
 * The models beside the bundled one: a U-Net told no classes, and latent diffusion told words through cross-attention. Trained here by fluxion, some minutes each, and
 * kept in the cache: rows train them with --remeasure-peers and otherwise take what is there.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { last, lastValueFrom, type Observable, tap } from 'rxjs'
import type { Planes } from '../operators/convolution/planes.ts'
import { cosineSchedule, ddim, scheduleLevels } from '../operators/diffusion/index.ts'
import { trainWordTokenizer } from '../operators/token/word.ts'
import { denoise, type Frame } from '../pipelines/diffusion/denoise.ts'
import { denoisingConfig, denoisingPresets } from '../pipelines/diffusion/denoisingPresets.ts'
import { denoisingRun } from '../pipelines/diffusion/denoisingRun.ts'
import { guidedDenoiser } from '../pipelines/diffusion/diffuse.ts'
import { autoencoderOf, decoded, promptedDenoiser, scalingFactor } from '../pipelines/diffusion/latent.ts'
import { captionedLatents, encodeSet, textTokens } from '../pipelines/diffusion/latentBatches.ts'
import type { Noisy } from '../pipelines/diffusion/network.ts'
import { networkOf } from '../pipelines/diffusion/networkOf.ts'
import { pictureSamples } from '../pipelines/diffusion/pictureBatches.ts'
import { averagesOf, trainDenoiser } from '../pipelines/diffusion/trainDenoiser.ts'
import { textUnet } from '../pipelines/diffusion/unet.ts'
import { vae } from '../pipelines/diffusion/vae.ts'
import { vaeRun } from '../pipelines/diffusion/vaeRun.ts'
import { writeDurably } from '../pipelines/files.ts'
import { readTensors } from '../pipelines/folder.ts'
import { gpt } from '../pipelines/gpt.ts'
import { everyHidden } from '../pipelines/languageModel.ts'
import { upload } from '../pipelines/parameters.ts'
import { readPictures } from '../pipelines/readPictures.ts'
import type { RunStep, Snapshot } from '../pipelines/runTraining.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { DenoisingTrainingOptions } from '../src/codec/denoisingTraining.ts'
import { Gpt2Config } from '../src/codec/gpt2.ts'
import { UnetConfig } from '../src/codec/unet.ts'
import { VaeConfig } from '../src/codec/vae.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { shapeEngine } from '../src/engine/shape/engine.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import type { PictureSet } from '../src/format/pictures.ts'
import { safetensorsPieces } from '../src/format/safetensors.ts'
import { scope } from '../src/tensor/scope.ts'
import { empty, read, tensor } from '../src/tensor/tensor.ts'
import { times } from '../src/tensor/times.ts'
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
const tokenizer = trainWordTokenizer(captions.flat())
const LENGTH = 4

const trainingOptions = (own: object): DenoisingTrainingOptions =>
  decodeOrThrow(
    DenoisingTrainingOptions,
    {
      batch: 32,
      weightDecay: 0.01,
      minimumLearningRate: 1e-5,
      validation: 0,
      evaluateEvery: 0,
      checkpointEvery: 0,
      ...own,
    },
    'bench',
  )

/** The last step of a run, its losses shown on the way. */
const trained = async (name: string, steps: number, run: Observable<RunStep>, say: Tools['say']): Promise<Snapshot> => {
  let mean = 0
  const end = await lastValueFrom(
    run.pipe(
      tap(({ step, loss }) => {
        mean += loss / 200
        if (step % 200 !== 0) return
        say(`  ${name}, step ${step} of ${steps}: loss ${mean.toFixed(4)}`)
        mean = 0
      }),
    ),
  )
  if (end.snapshot === null) throw new TypeError('the last step has a snapshot')
  return end.snapshot
}

/** What the cache has, or what training gives. Without --remeasure-peers nothing is trained: `Absent`. */
const kept = async (
  { cache, remeasurePeers }: Tools,
  name: string,
  train: () => Promise<HostTensors>,
): Promise<HostTensors> => {
  const path = join(cache, `${name}.safetensors`)
  if (!existsSync(path)) {
    if (!remeasurePeers) throw new Absent(`not trained on this machine (--remeasure-peers trains it)`)
    writeDurably(path, safetensorsPieces(await train()))
  }
  return readTensors(path)
}

const mnist = ({ shared }: Tools): PictureSet => readPictures(dirname(shared('data/mnist/train-images-idx3-ubyte.gz')))

/** The network of the bundled model, on pictures alone. */
export const unconditionalDigits = async (engine: Engine, tools: Tools): Promise<DrawDigits> => {
  const untold = (set: PictureSet): PictureSet => ({ ...set, labels: null, classes: [] })
  const config = denoisingConfig(
    denoisingPresets.digits,
    untold({ count: 0, channels: 1, height: 28, width: 28, pixels: new Uint8Array(0), labels: null, classes: [] }),
  )
  const schedule = cosineSchedule()
  const tensors = await kept(tools, 'digits-unconditional', async () => {
    const options = trainingOptions({ steps: 8000, seed: 2 })
    const training = untold(mnist(tools))
    const run = denoisingRun({
      engine,
      config,
      options,
      training: pictureSamples(training),
      validation: pictureSamples({ ...training, count: 0 }),
      from: null,
    })
    return averagesOf(await trained('unconditional', options.steps, run, tools.say))
  })
  const opened = {
    config,
    model: networkOf(config.network),
    parameters: upload(tensors, engine),
    schedule,
    tokenizer: null,
  }
  return ({ labels, steps, seed }) =>
    denoise({
      engine,
      shape: [labels.length, 1, 28, 28],
      levels: scheduleLevels(schedule, steps, { spacing: 'trailing' }),
      sampler: ddim(),
      denoiser: guidedDenoiser(opened, new Int32Array(labels.length), 0),
      seed,
    }).pipe(last())
}

const vaeConfig = decodeOrThrow(
  VaeConfig,
  { in_channels: 1, height: 28, width: 28, latent_channels: 4, model_channels: 8, channel_mult: [1, 2, 4] },
  'bench',
)
const WIDTH = 64
const latentConfig = decodeOrThrow(
  UnetConfig,
  {
    in_channels: vaeConfig.latent_channels,
    height: 7,
    width: 7,
    model_channels: WIDTH,
    channel_mult: [1],
    num_res_blocks: 1,
    attention_levels: [0],
    context_dim: WIDTH,
  },
  'bench',
)
const encoderConfig = decodeOrThrow(
  Gpt2Config,
  {
    vocab_size: tokenizer.vocabularySize,
    n_positions: LENGTH,
    n_embd: WIDTH,
    n_layer: 1,
    n_head: 4,
    embd_pdrop: 0,
    resid_pdrop: 0,
    attn_pdrop: 0,
  },
  'bench',
)

export interface LatentDigits {
  readonly draw: DrawDigits
  /** Pictures (count, 1, 28, 28) through the autoencoder and back. */
  readonly through: (pictures: Float32Array) => Promise<Float32Array>
}

/** A VAE from 28 x 28 pixels to latents (4, 7, 7), and a U-Net over those that reads "a seven" through cross-attention. */
export const latentDigits = async (engine: Engine, tools: Tools): Promise<LatentDigits> => {
  const autoencoding = await kept(tools, 'digits-vae', async () => {
    const options = { ...trainingOptions({ steps: 3000, batch: 48, learningRate: 2e-3, seed: 3 }), divergence: 2e-5 }
    const run = vaeRun({ engine, config: vaeConfig, options, training: mnist(tools), from: null })
    return (await trained('autoencoder', options.steps, run, tools.say)).parameters
  })
  const vaeParameters: Named = upload(autoencoding, engine)
  const raw = autoencoderOf(vae(vaeConfig), vaeParameters, 1)
  const model = textUnet(latentConfig, everyHidden(gpt(encoderConfig)))
  const schedule = cosineSchedule()
  const shape = [latentConfig.in_channels, latentConfig.height, latentConfig.width] as const
  const factorIn = 'scaling_factor'
  const tensors = await kept(tools, 'digits-latent', async () => {
    tools.say('  encoding the training digits')
    const set = await encodeSet(engine, raw, mnist(tools))
    const factor = scalingFactor(set.latents)
    const scaled = { ...set, latents: set.latents.map(value => value * factor) }
    const options = trainingOptions({ steps: 5000, learningRate: 1.5e-3, seed: 4 })
    const pictures: Planes = empty(shapeEngine(), [1, ...shape])
    const input: Noisy = [pictures, times([0]), textTokens(tokenizer, [''], LENGTH)]
    const run = trainDenoiser({
      engine,
      model,
      input,
      schedule,
      prediction: 'v',
      options,
      batchesOf: key => captionedLatents(scaled, { ...options, tokenizer, length: LENGTH, captions }, key),
      validation: null,
      from: null,
    })
    const averages = averagesOf(await trained('latent diffusion', options.steps, run, tools.say))
    return new Map([...averages, [factorIn, { dtype: 'F32', shape: [1], data: Float32Array.of(factor) }]])
  })
  const { [factorIn]: factorTensor, ...parameters } = upload(tensors, engine)
  if (factorTensor === undefined) throw new TypeError('digits-latent has no scaling factor')
  const [factor = 1] = await read(factorTensor)
  const autoencoder = autoencoderOf(vae(vaeConfig), vaeParameters, factor)
  const draw: DrawDigits = ({ labels, steps, guidance, seed }) => {
    const asked = (texts: readonly string[]) => textTokens(tokenizer, texts, LENGTH)
    const latents$ = denoise({
      engine,
      shape: [labels.length, ...shape],
      levels: scheduleLevels(schedule, steps, { spacing: 'trailing' }),
      sampler: ddim(),
      denoiser: promptedDenoiser(model, parameters, {
        texts: asked(Array.from(labels, label => captions[label]?.[0] ?? '')),
        empty: asked(Array.from(labels, () => '')),
        guidance,
        prediction: 'v',
      }),
      seed,
    })
    // Only the end is decoded.
    return latents$.pipe(last(), decoded(engine, autoencoder))
  }
  const through = async (pictures: Float32Array): Promise<Float32Array> => {
    const all = new Float32Array(pictures.length)
    const size = 100 * 28 * 28
    for (let at = 0; at < pictures.length; at += size) {
      const part = pictures.subarray(at, at + size)
      const { data } = scope(() => {
        const x = tensor(engine, [part.length / 784, 1, 28, 28], part)
        return { data: read(autoencoder.decode(autoencoder.encode(x))) }
      })
      all.set(await data, at)
    }
    return all
  }
  return { draw, through }
}
