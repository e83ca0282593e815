/**
 * config.json of a diffusion model over pictures: the network's own configuration, and the diffusion it was trained in. Names of the latter as in
 * Diffusers' schedulers.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { DitConfig } from './dit.ts'
import { oneOf, only, positiveInteger, text, withDefault, withRules } from './fields.ts'
import { UnetConfig } from './unet.ts'

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
}

export const DenoisingConfig = withRules(t.exact(t.type(fields), 'a diffusion model configuration'), [
  {
    field: 'class_names',
    holds: ({ class_names, network }) => class_names.length === network.num_classes,
    expected: ({ network }) => `${network.num_classes} names, one a class`,
    found: ({ class_names }) => class_names,
  },
])
export type DenoisingConfig = t.TypeOf<typeof DenoisingConfig>
