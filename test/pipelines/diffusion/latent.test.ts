/** Autoencoders and diffusion of their latents: laws X9, D4, L1, S15 and that the parts train. */
import { lastValueFrom, map, take, toArray } from 'rxjs'
import test from 'tape'
import type { Planes } from '../../../operators/convolution/planes.ts'
import { type Denoiser, denoiser } from '../../../operators/diffusion/denoiser.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { scheduleLevels } from '../../../operators/diffusion/schedule/spacing.ts'
import { trainWordTokenizer } from '../../../operators/token/word.ts'
import { denoise } from '../../../pipelines/diffusion/denoise.ts'
import {
  type Autoencoder,
  autoencoderOf,
  conjugated,
  latentDiffusion,
  promptedDenoiser,
  scalingFactor,
} from '../../../pipelines/diffusion/latent.ts'
import { captionedLatents, encodeSet, textTokens } from '../../../pipelines/diffusion/latentBatches.ts'
import type { Noisy } from '../../../pipelines/diffusion/network.ts'
import { averagesOf, trainDenoiser } from '../../../pipelines/diffusion/trainDenoiser.ts'
import { textUnet } from '../../../pipelines/diffusion/unet.ts'
import { vae, vaeLoss } from '../../../pipelines/diffusion/vae.ts'
import { vaeParameters, vaeRun } from '../../../pipelines/diffusion/vaeRun.ts'
import { gpt } from '../../../pipelines/gpt.ts'
import { everyHidden } from '../../../pipelines/languageModel.ts'
import { upload } from '../../../pipelines/parameters.ts'
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { DenoisingTrainingOptions } from '../../../src/codec/denoisingTraining.ts'
import { Gpt2Config } from '../../../src/codec/gpt2.ts'
import { UnetConfig } from '../../../src/codec/unet.ts'
import { VaeConfig } from '../../../src/codec/vae.ts'
import { context, type Named } from '../../../src/context.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { InputError } from '../../../src/errors.ts'
import type { PictureSet } from '../../../src/format/pictures.ts'
import { type ParameterSpec, parametersOf } from '../../../src/initialize.ts'
import { scale } from '../../../src/kernel/binary.ts'
import { matmul } from '../../../src/kernel/matmul.ts'
import { unary } from '../../../src/kernel/unary.ts'
import { integers, key, normal } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, sizeOf, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { times } from '../../../src/tensor/times.ts'
import { type Tokens, tokens } from '../../../src/tensor/tokens.ts'
import { within } from '../../laws/check.ts'
import { X9 } from '../../laws/diffusion.ts'
import { finiteDifference } from '../../laws/operator.ts'
import { S15, whole } from '../../laws/streams.ts'

const config = decodeOrThrow(
  VaeConfig,
  {
    in_channels: 1,
    height: 8,
    width: 4,
    latent_channels: 2,
    model_channels: 4,
    channel_mult: [1, 2],
    norm_num_groups: 2,
  },
  'vae',
)
const tokenizer = trainWordTokenizer(['a bar above', 'a bar below'])
const LENGTH = 3
const network = decodeOrThrow(
  UnetConfig,
  {
    in_channels: 2,
    height: 4,
    width: 2,
    model_channels: 8,
    channel_mult: [1],
    num_res_blocks: 1,
    attention_levels: [0],
    num_heads: 2,
    norm_num_groups: 2,
    context_dim: 8,
  },
  'unet',
)
const encoder = decodeOrThrow(
  Gpt2Config,
  {
    vocab_size: tokenizer.vocabularySize,
    n_positions: LENGTH,
    n_embd: 8,
    n_layer: 1,
    n_head: 2,
    embd_pdrop: 0,
    resid_pdrop: 0,
    attn_pdrop: 0,
  },
  'text encoder',
)
const model = textUnet(network, everyHidden(gpt(encoder)))

const planesOn = (engine: Engine, shape: readonly number[], seed: number): Planes =>
  tensor(engine, shape, normal(key(seed), sizeOf(shape)))

/** Random parameters, none of them zero. */
const filled = (specs: ReadonlyMap<string, ParameterSpec>, engine: Engine): Named =>
  Object.fromEntries(
    [...specs].map(([path, { shape }], i) => [
      path,
      tensor(
        engine,
        shape,
        normal(key(i), sizeOf(shape)).map(value => 0.3 * value),
      ),
    ]),
  )

const noisyOn = (engine: Engine, texts: readonly string[]): Noisy => [
  planesOn(engine, [texts.length, 2, 4, 2], 3),
  times(texts.map((_, i) => 400 * i)),
  textTokens(tokenizer, texts, LENGTH),
]

test('D4: the encoder, the decoder, the loss of a VAE and a U-Net told texts', t => {
  const engine = referenceEngine()
  const { encoder, decoder } = vae(config)
  scope(() => {
    const parameters = filled(vaeParameters(config), engine)
    const only = (prefix: string): Named =>
      Object.fromEntries(Object.entries(parameters).filter(([path]) => path.startsWith(prefix)))
    const x = planesOn(engine, [2, 1, 8, 4], 1)
    const { value } = encoder(context(parameters), x)
    t.deepEqual(
      value.map(({ shape }) => shape),
      [
        [2, 2, 4, 2],
        [2, 2, 4, 2],
      ],
    )
    within(t, 'D4 encoder', finiteDifference(encoder, context(only('encoder.')), x))
    within(t, 'D4 decoder', finiteDifference(decoder, context(only('decoder.')), planesOn(engine, [2, 2, 4, 2], 2)))
    within(
      t,
      'D4 loss, its parameters',
      finiteDifference(
        // The target is the input itself, so that the input has no derivative of its own here.
        (c, _: Tokens) => {
          const { pullback, ...rest } = vaeLoss({ encoder, decoder }, 0.1)(c, x)
          return { ...rest, pullback: (d: Tensor<readonly []>) => [pullback(d)[0], null] }
        },
        context(parameters, { key: key(9) }),
        tokens([0]),
      ),
    )
    const noisy = noisyOn(engine, ['a bar above', ''])
    within(
      t,
      'D4 U-Net told texts',
      finiteDifference(model, context(filled(parametersOf(model, noisy), engine)), noisy),
    )
  })
  t.end()
})

test('L1 on wasm: a VAE and a U-Net told texts do not see the batch; the text counts', t => {
  const engine = wasmEngine()
  scope(() => {
    const { encode, decode } = autoencoderOf(vae(config), filled(vaeParameters(config), engine), 1.5)
    const x = planesOn(engine, [3, 1, 8, 4], 1)
    const through = (part: Planes) => readNow(decode(encode(part)))
    const together = through(x)
    const alone: Planes = tensor(engine, [1, 1, 8, 4], readNow(x).subarray(32, 64))
    t.deepEqual([...through(alone)], [...together.subarray(32, 64)], 'bit for bit')
    const texts = ['a bar above', 'a bar below', '']
    const [planes, ts] = noisyOn(engine, texts)
    const c = context(filled(parametersOf(model, noisyOn(engine, texts)), engine), { differentiable: false })
    const told = (words: readonly string[]) =>
      readNow(model(c, [planes, ts, textTokens(tokenizer, words, LENGTH)]).value)
    const predicted = told(texts)
    const one: Planes = tensor(engine, [1, 2, 4, 2], readNow(planes).subarray(16, 32))
    const single = model(c, [one, times([400]), textTokens(tokenizer, ['a bar below'], LENGTH)]).value
    t.deepEqual([...readNow(single)], [...predicted.subarray(16, 32)], 'bit for bit')
    t.notDeepEqual([...told(['a bar below', 'a bar below', ''])], [...predicted], 'control: another text')
  })
  t.end()
})

/** Rows of 8 pixels turned by an orthogonal matrix (Hadamard's), and back by its transpose. */
const orthonormal = (engine: Engine, stretch = 1): Autoencoder => {
  const bits = (n: number): number => [0, 1, 2].filter(bit => (n >> bit) & 1).length
  const entries = Array.from({ length: 64 }, (_, i) => (bits((i >> 3) & (i & 7)) % 2 === 0 ? 1 : -1) / Math.sqrt(8))
  const turn = (x: Tensor, factor: number): Tensor =>
    scope(() => {
      const rows = x.share<readonly ['row', 'inner']>([x.size / 8, 8])
      const turned = matmul(rows, tensor<readonly ['inner', 'column']>(engine, [8, 8], entries))
      return scale(turned, factor).share(x.shape)
    })
  return { encode: x => turn(x, stretch), decode: z => turn(z, 1 / stretch) }
}

test('X9 with an orthonormal autoencoder, diffusion of latents is diffusion of pictures', async t => {
  const engine = referenceEngine()
  const shape = [2, 1, 2, 4]
  const noise = normal(key(4), 16)
  const picture: Denoiser = denoiser((x, { time }) => unary('tanh', scale(x, 0.5 + time / 1000)), {
    prediction: 'epsilon',
  })
  const common = {
    engine,
    shape,
    sampler: ddim(),
    levels: scheduleLevels(linearSchedule(), 10, { spacing: 'trailing' }),
  }
  const end = async (autoencoder: Autoencoder): Promise<boolean> => {
    const start = scope(() => Array.from(readNow(autoencoder.encode(tensor(engine, shape, noise)))))
    const pictures = await lastValueFrom(denoise({ ...common, noise, denoiser: picture }))
    const latents = await lastValueFrom(
      latentDiffusion({ ...common, noise: start, autoencoder, denoiser: conjugated(picture, autoencoder) }),
    )
    return scope(
      () =>
        X9.conjugates(tensor(engine, shape, latents.sample), tensor(engine, shape, pictures.sample)) &&
        X9.conjugates(tensor(engine, shape, latents.predictedX0), tensor(engine, shape, pictures.predictedX0)),
    )
  }
  t.ok(await end(orthonormal(engine)))
  const twisted = { ...orthonormal(engine), decode: (z: Tensor) => unary('tanh', z) }
  t.notOk(await end(twisted), 'negative control: one that does not invert')
  scope(() => {
    const x = tensor(engine, shape, noise)
    for (const stretch of [0.1, 1, 7]) {
      const { encode, decode } = orthonormal(engine, stretch)
      t.ok(X9.inverts(x, encode, decode), `a scaling factor of ${stretch} inverts`)
    }
    t.notOk(X9.inverts(x, orthonormal(engine, 2).encode, orthonormal(engine).decode), 'negative control: not undone')
  })
  const latents = normal(key(5), 1000).map(value => 3 * value)
  const factor = scalingFactor(latents)
  t.ok(Math.abs(scalingFactor(latents.map(value => value * factor)) - 1) < 1e-12, 'scaled latents have unit variance')
  t.end()
})

test('latentDiffusion: frames of pictures, from noise or from pictures; nothing is left (S15)', async t => {
  const engine = wasmEngine()
  const picture: Denoiser = denoiser(x => scale(x, 0.5), { prediction: 'epsilon' })
  const options = {
    engine,
    autoencoder: orthonormal(engine),
    shape: [2, 1, 2, 4],
    sampler: ddim(),
    denoiser: picture,
    levels: scheduleLevels(linearSchedule(), 6, { spacing: 'trailing' }),
  }
  const { values, ends } = await whole(latentDiffusion(options))
  t.deepEqual([values.length, ends], [6, ['complete']])
  t.deepEqual(values.at(-1)?.shape, [2, 1, 2, 4])
  const init = { shape: [2, 1, 2, 4], data: normal(key(1), 16) }
  const from = await lastValueFrom(latentDiffusion({ ...options, init }).pipe(take(2)))
  const same = await lastValueFrom(latentDiffusion({ ...options, init }).pipe(take(2)))
  t.deepEqual([...from.sample], [...same.sample], 'a function of its arguments')
  t.notDeepEqual([...from.sample], [...(values[1]?.sample ?? [])], 'control: from noise')
  t.ok(S15.holds(engine.counter), 'S15')
  t.end()
})

/** Bars above or below, 8 x 4. */
const bars = (count: number): PictureSet => {
  const labels = Int32Array.from(integers(key(2), count, 2))
  const pixels = new Uint8Array(count * 32)
  labels.forEach((label, i) => {
    pixels.fill(255, i * 32 + 16 * label, i * 32 + 16 * (label + 1))
  })
  return { count, channels: 1, height: 8, width: 4, pixels, labels, classes: ['above', 'below'] }
}

test('a VAE and a text-conditional diffusion of its latents learn two pictures by their captions', async t => {
  const engine = wasmEngine()
  const set = bars(64)
  const options = (own: object): DenoisingTrainingOptions =>
    decodeOrThrow(
      DenoisingTrainingOptions,
      { batch: 16, learningRate: 1e-2, warmup: 10, weightDecay: 0, evaluateEvery: 0, checkpointEvery: 0, ...own },
      'options',
    )
  const autoencoding = await lastValueFrom(
    vaeRun({
      engine,
      config,
      options: { ...options({ steps: 150 }), divergence: 1e-4 },
      training: set,
      from: null,
    }).pipe(toArray()),
  )
  const first = autoencoding[0]?.loss ?? 0
  const { loss = Number.NaN, snapshot = null } = autoencoding.at(-1) ?? {}
  t.ok(loss < first / 10, `loss ${first} -> ${loss}`)
  if (snapshot === null) return t.fail('no snapshot')
  const parameters = upload(snapshot.parameters, engine)
  const raw = autoencoderOf(vae(config), parameters, 1)
  const latents = await encodeSet(engine, raw, set)
  t.deepEqual([latents.count, latents.shape, latents.latents.length], [64, [2, 4, 2], 64 * 16])
  const factor = scalingFactor(latents.latents)
  const autoencoder = autoencoderOf(vae(config), parameters, factor)
  const scaled = { ...latents, latents: latents.latents.map(value => value * factor) }
  const training = options({ steps: 250, averageDecay: 0.9 })
  const schedule = linearSchedule()
  const caption = {
    tokenizer,
    length: LENGTH,
    captions: [
      ['a bar above', 'above'],
      ['a bar below', 'below'],
    ],
  }
  const trained = await lastValueFrom(
    trainDenoiser({
      engine,
      model,
      input: noisyOn(engine, ['']),
      schedule,
      prediction: 'v',
      options: training,
      batchesOf: run => captionedLatents(scaled, { ...training, ...caption }, run),
      validation: null,
      from: null,
    }).pipe(map(({ snapshot }) => snapshot)),
  )
  if (trained === null) return t.fail('no snapshot')
  const texts = ['a bar above', 'a bar below', 'above', 'below']
  const { sample } = await lastValueFrom(
    latentDiffusion({
      engine,
      autoencoder,
      shape: [4, 2, 4, 2],
      sampler: ddim(),
      levels: scheduleLevels(schedule, 12, { spacing: 'trailing' }),
      denoiser: promptedDenoiser(model, upload(averagesOf(trained), engine), {
        texts: textTokens(tokenizer, texts, LENGTH),
        empty: textTokens(
          tokenizer,
          texts.map(() => ''),
          LENGTH,
        ),
        guidance: 1.5,
        prediction: 'v',
      }),
    }),
  )
  const mean = (from: number): number => Array.from(sample.slice(from, from + 16)).reduce((sum, x) => sum + x, 0) / 16
  texts.forEach((text, i) => {
    const [above, below] = [mean(32 * i), mean(32 * i + 16)]
    t.equal(above > below, text.includes('above'), `${text}: ${above.toFixed(2)} above, ${below.toFixed(2)} below`)
  })
  t.throws(() => textTokens(tokenizer, ['a bar above a bar'], LENGTH), InputError)
  t.end()
})
