/** The networks of diffusion: shapes, D4 at small sizes, and the same pictures in any batch on wasm (law L1). */
import test from 'tape'
import type { Planes } from '../../../operators/convolution/planes.ts'
import type { Noisy } from '../../../pipelines/diffusion/network.ts'
import { networkOf, sampleInput } from '../../../pipelines/diffusion/networkOf.ts'
import { textUnet } from '../../../pipelines/diffusion/unet.ts'
import { gpt } from '../../../pipelines/gpt.ts'
import { everyHidden } from '../../../pipelines/languageModel.ts'
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { DenoisingConfig, NetworkConfig } from '../../../src/codec/denoising.ts'
import { context, type Named } from '../../../src/context.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { InputError, ShapeError } from '../../../src/errors.ts'
import { initialize, parametersOf } from '../../../src/initialize.ts'
import { key, normal } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, sizeOf, tensor } from '../../../src/tensor/tensor.ts'
import { times } from '../../../src/tensor/times.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import { within } from '../../laws/check.ts'
import { finiteDifference } from '../../laws/operator.ts'

const pictures = { in_channels: 2, height: 8, width: 4, num_classes: 3 }
const configs = {
  dit: {
    ...pictures,
    model_type: 'dit',
    patch_size: 2,
    hidden_size: 8,
    depth: 2,
    num_heads: 2,
    frequency_embedding_size: 8,
  },
  unet: {
    ...pictures,
    model_type: 'unet',
    model_channels: 4,
    channel_mult: [1, 2],
    num_res_blocks: 1,
    attention_levels: [0],
    num_heads: 2,
    norm_num_groups: 2,
  },
  'unet on patches': {
    ...pictures,
    model_type: 'unet',
    patch_size: 2,
    model_channels: 4,
    channel_mult: [1, 2],
    num_res_blocks: 2,
    attention_levels: [1],
    num_heads: 2,
    norm_num_groups: 2,
  },
}

/** Random parameters, none of them zero. */
const randomParameters = (config: NetworkConfig, engine: Engine): Named =>
  Object.fromEntries(
    [...parametersOf(networkOf(config), sampleInput(config))].map(([path, { shape }], i) => [
      path,
      tensor(
        engine,
        shape,
        normal(key(i), sizeOf(shape)).map(value => 0.3 * value),
      ),
    ]),
  )

const noisyOn = (engine: Engine, batch: number): Noisy => {
  const shape = [batch, 2, 8, 4]
  const image: Planes = tensor(engine, shape, normal(key(7), sizeOf(shape)))
  return [
    image,
    times(Array.from({ length: batch }, (_, i) => 100 * i)),
    tokens(
      Array.from({ length: batch }, (_, i) => i % 4),
      [batch, 1],
    ),
  ]
}

for (const [name, fields] of Object.entries(configs)) {
  const config = decodeOrThrow(NetworkConfig, fields, name)
  test(`${name}: a prediction of the pictures' shape, nothing at first, D4`, t => {
    const engine = referenceEngine()
    const model = networkOf(config)
    scope(() => {
      const fresh = initialize(model, sampleInput(config), engine, key(1))
      const { value } = model(context(fresh), noisyOn(engine, 3))
      t.deepEqual(value.shape, [3, 2, 8, 4])
      t.ok(
        readNow(value).every(number => number === 0),
        'begins by predicting nothing',
      )
      within(
        t,
        'D4 every parameter and the picture',
        finiteDifference(model, context(randomParameters(config, engine)), noisyOn(engine, 2)),
      )
    })
    t.end()
  })

  test(`${name}: L1 on wasm, a picture's prediction does not depend on its batch`, t => {
    const engine = wasmEngine()
    const model = networkOf(config)
    scope(() => {
      const c = context(randomParameters(config, engine), { differentiable: false })
      const [images, ts, labels] = noisyOn(engine, 3)
      const together = readNow(model(c, [images, ts, labels]).value)
      const size = together.length / 3
      for (let i = 0; i < 3; i++) {
        const one: Planes = tensor(engine, [1, 2, 8, 4], readNow(images).subarray(i * size, (i + 1) * size))
        const alone = model(c, [one, times(ts.times.slice(i, i + 1)), tokens(labels.ids.slice(i, i + 1), [1, 1])]).value
        t.deepEqual([...readNow(alone)], [...together.subarray(i * size, (i + 1) * size)], `picture ${i}, bit for bit`)
      }
      const other = model(c, [images, times([900, 900, 900]), labels]).value
      t.notDeepEqual([...readNow(other)], [...together], 'negative control: another noise level')
    })
    t.end()
  })
}

/** What a configuration computes, as one text. */
const computed = (fields: object): string =>
  scope(() => {
    const engine = referenceEngine()
    const config = decodeOrThrow(NetworkConfig, fields, 'config.json')
    const model = networkOf(config)
    const parameters = randomParameters(config, engine)
    const shapes = Object.entries(parameters).map(([name, { shape }]) => [name, shape])
    const { in_channels, height, width } = config
    const image: Planes = tensor(engine, [1, in_channels, height, width], normal(key(3), in_channels * height * width))
    const { value } = model(context(parameters, { differentiable: false }), [image, times([5]), tokens([0], [1, 1])])
    return JSON.stringify([shapes, [...readNow(value)]])
  })

test('every field of a network counts: another value is another network, or refused', t => {
  const others = {
    dit: {
      in_channels: 1,
      height: 4,
      width: 8,
      num_classes: 2,
      learn_sigma: true,
      patch_size: 4,
      hidden_size: 12,
      depth: 1,
      num_heads: 4,
      mlp_ratio: 2,
      frequency_embedding_size: 4,
    },
    unet: {
      in_channels: 1,
      height: 4,
      width: 8,
      num_classes: 2,
      learn_sigma: true,
      patch_size: 2,
      model_channels: 8,
      channel_mult: [1, 1],
      num_res_blocks: 2,
      attention_levels: [1],
      num_heads: 4,
      norm_num_groups: 4,
      context_dim: 16,
    },
  }
  for (const name of ['dit', 'unet'] as const) {
    const before = computed(configs[name])
    t.equal(computed(configs[name]), before, 'the same again')
    t.equal(computed({ ...configs[name], other: 3 }), before, 'negative control: a field of no network')
    const config = Object.keys(decodeOrThrow(NetworkConfig, configs[name], name))
    t.deepEqual(
      config.filter(field => !(field in others[name])),
      ['model_type'],
      'each field',
    )
    for (const [field, other] of Object.entries(others[name])) {
      const changed = { ...configs[name], [field]: other }
      if (field === 'context_dim')
        t.throws(() => computed(changed), /context_dim: expected none for a U-Net that is told classes, found 16/)
      else t.notEqual(computed(changed), before, `${name}: ${field}`)
    }
  }
  t.end()
})

test('what a model is told and its configuration fit: fields that would count for nothing are refused', t => {
  const unet = { ...configs.unet, num_classes: 0, in_channels: 1, context_dim: 8 }
  const text = { vocab_size: 9, n_positions: 3, n_embd: 8, n_layer: 1, n_head: 2 }
  const told = { network: unet, text_encoder: text, captions: [['a'], ['b']], class_names: ['a', 'b'] }
  const config = decodeOrThrow(DenoisingConfig, told, 'config.json')
  t.equal(config.class_names.length, 2)
  const refused = (fields: object, message: string): void =>
    t.throws(
      () => decodeOrThrow(DenoisingConfig, { ...told, ...fields }, 'config.json'),
      (error: unknown) => error instanceof InputError && error.message.includes(message),
      message,
    )
  refused(
    { text_encoder: null, captions: [], class_names: [] },
    'network.context_dim: expected none, for a model that is told classes: it has no text_encoder, found 8',
  )
  refused(
    { network: { ...unet, num_classes: 2 } },
    'network.num_classes: expected 0, for a model that is told texts: its classes are those of captions, found 2',
  )
  refused(
    { text_encoder: null, network: { ...unet, context_dim: null, num_classes: 2 } },
    'captions: expected none, for a model that is told classes: it has no text_encoder, found an array of 2',
  )
  refused({ captions: [['a'], []] }, 'captions: expected at least one text a class, found an empty array')
  if (config.network.model_type !== 'unet' || config.text_encoder === null) return t.end('a U-Net told texts')
  const { network, text_encoder } = config
  t.throws(
    () => textUnet({ ...network, context_dim: null }, everyHidden(gpt(text_encoder))),
    /context_dim: expected the width/,
  )
  const wide = textUnet({ ...network, context_dim: 4 }, everyHidden(gpt(text_encoder)))
  t.throws(
    () => parametersOf(wide, sampleInput(network)),
    (error: unknown) =>
      error instanceof ShapeError &&
      error.message === "context: expected hidden states of the U-Net's context_dim 4, found 8",
    'a text encoder of another width',
  )
  t.end()
})

test('configurations that fit no picture are refused by field', t => {
  const refused = (fields: object, message: string): void => {
    t.throws(
      () => decodeOrThrow(NetworkConfig, fields, 'config.json'),
      (error: unknown) => error instanceof InputError && error.message.includes(message),
      message,
    )
  }
  refused({ ...configs.dit, patch_size: 3 }, 'patch_size: expected a divisor of 8 and 4')
  refused({ ...configs.dit, hidden_size: 6 }, 'hidden_size: expected a multiple of 4')
  refused({ ...configs.unet, channel_mult: [1, 1, 1, 1] }, 'height: expected a multiple of 8')
  refused({ ...configs.unet, model_channels: 5 }, 'model_channels: expected a multiple of 2 groups')
  refused({ ...configs.unet, attention_levels: [2] }, 'attention_levels: expected places in channel_mult, less than 2')
  refused({ ...configs.unet, model_type: 'resnet' }, 'model_type: expected "dit" or "unet"')
  t.end()
})
