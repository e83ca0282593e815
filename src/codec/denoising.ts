/**
 * config.json of a diffusion model over pictures: the network's own configuration, and the diffusion it was trained in. Names of the latter as in
 * Diffusers' schedulers.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { DitConfig } from './dit.ts'
import { nonEmptyText, nullable, oneOf, only, positiveInteger, text, withDefault, withRules } from './fields.ts'
import { Gpt2Config } from './gpt2.ts'
import { UnetConfig } from './unet.ts'
import { latentSize, VaeConfig } from './vae.ts'

export type NetworkConfig = DitConfig | UnetConfig

const Kind = t.type({ model_type: oneOf('dit', 'unet') }, 'a network configuration')

/** The configuration of a network: its `model_type` says which codec reads it. */
export const NetworkConfig = new t.Type<NetworkConfig, unknown, unknown>(
  'a network configuration',
  (value): value is NetworkConfig => DitConfig.is(value) || UnetConfig.is(value),
  (input, context) => {
    const kind = Kind.validate(input, context)
    if (E.isLeft(kind)) return kind
    return kind.right.model_type === 'dit' ? DitConfig.validate(input, context) : UnetConfig.validate(input, context)
  },
  value => (value.model_type === 'dit' ? DitConfig.encode(value) : UnetConfig.encode(value)),
)

const fields = {
  model_type: withDefault(only('denoising-diffusion'), 'denoising-diffusion'),
  network: NetworkConfig,
  /** What the network predicts. */
  prediction_type: withDefault(oneOf('epsilon', 'v', 'velocity', 'x0'), 'v'),
  beta_schedule: withDefault(oneOf('cosine', 'flow', 'linear', 'sigmoid'), 'cosine'),
  num_train_timesteps: withDefault(positiveInteger, 1000),
  /** Names by class id. */
  class_names: withDefault(t.readonlyArray(text, 'an array of names'), []),
  /** Whose latents are diffused; null where pictures are. */
  autoencoder: nullable(VaeConfig),
  /** What reads a text of `n_positions` tokens, for a network that is told texts; null where it is told classes. */
  text_encoder: nullable(Gpt2Config),
  /** By class, the texts that say it, the first of which asks for the class; none where no texts are told. */
  captions: withDefault(t.readonlyArray(t.readonlyArray(nonEmptyText, 'an array of texts')), []),
}

export const DenoisingConfig = withRules(t.exact(t.type(fields), 'a diffusion model configuration'), [
  {
    field: 'class_names',
    holds: config => config.class_names.length === classesOf(config),
    expected: config => `${classesOf(config)} names, one a class`,
    found: ({ class_names }) => class_names,
  },
  {
    field: 'network',
    holds: ({ network, autoencoder }) =>
      autoencoder === null || sizeText(latentSize(autoencoder)) === sizeText(network),
    expected: ({ autoencoder }) =>
      `the size of the autoencoder's latents, ${autoencoder && sizeText(latentSize(autoencoder))}`,
    found: ({ network }) => sizeText(network),
  },
  {
    field: 'text_encoder',
    holds: ({ network, text_encoder }) =>
      text_encoder === null || (network.model_type === 'unet' && network.context_dim === text_encoder.n_embd),
    expected: () => "one as wide as a U-Net's context_dim",
    found: ({ text_encoder }) => text_encoder?.n_embd,
  },
  {
    field: 'network.context_dim',
    holds: ({ network, text_encoder }) =>
      text_encoder !== null || network.model_type === 'dit' || network.context_dim === null,
    expected: () => 'none, for a model that is told classes: it has no text_encoder',
    found: ({ network }) => (network.model_type === 'dit' ? null : network.context_dim),
  },
  {
    field: 'network.num_classes',
    holds: ({ network, text_encoder }) => text_encoder === null || network.num_classes === 0,
    expected: () => '0, for a model that is told texts: its classes are those of captions',
    found: ({ network }) => network.num_classes,
  },
  {
    field: 'captions',
    holds: ({ text_encoder, captions }) => text_encoder !== null || captions.length === 0,
    expected: () => 'none, for a model that is told classes: it has no text_encoder',
    found: ({ captions }) => captions,
  },
  {
    field: 'captions',
    holds: ({ captions }) => captions.every(texts => texts.length > 0),
    expected: () => 'at least one text a class',
    found: ({ captions }) => captions.find(texts => texts.length === 0),
  },
])
export type DenoisingConfig = t.TypeOf<typeof DenoisingConfig>

/** A network that is told texts has no classes of its own. */
const classesOf = ({ network, text_encoder, captions }: t.TypeOf<t.TypeC<typeof fields>>): number =>
  text_encoder === null ? network.num_classes : captions.length

type Size = Pick<NetworkConfig, 'in_channels' | 'height' | 'width'>

const sizeText = ({ in_channels, height, width }: Size): string => `[${in_channels},${height},${width}]`

/** The size of the pictures that a model draws. */
export const pictureSizeOf = ({ network, autoencoder }: Pick<DenoisingConfig, 'network' | 'autoencoder'>): Size =>
  autoencoder ?? network
