/** What configurations of diffusion models are made of. */
import type { Planes } from '../../operators/convolution/planes.ts'
import type { DenoisingConfig, NetworkConfig } from '../../src/codec/denoising.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { type ParameterSpec, parametersOf } from '../../src/initialize.ts'
import { scoped } from '../../src/scoped.ts'
import { empty } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import { type Tokens, tokens } from '../../src/tensor/tokens.ts'
import { gpt } from '../gpt.ts'
import { everyHidden } from '../languageModel.ts'
import { dit } from './dit.ts'
import { type Autoencoder, autoencoderOf } from './latent.ts'
import type { ClassConditionalModel, Noisy, TextConditionalModel } from './network.ts'
import { textUnet, unet } from './unet.ts'
import { type Vae, vae } from './vae.ts'
import { vaeParameters } from './vaeRun.ts'

/** The network of a configuration: every architecture that opens is one line here. */
export const networkOf = (config: NetworkConfig): ClassConditionalModel =>
  config.model_type === 'dit' ? dit(config) : unet(config)

/** The network of a diffusion model with what reads its texts, where it is told texts. */
export const denoisingNetwork = ({
  network,
  text_encoder,
}: DenoisingConfig): ClassConditionalModel | TextConditionalModel =>
  text_encoder === null || network.model_type === 'dit'
    ? networkOf(network)
    : textUnet(network, everyHidden(gpt(text_encoder)))

/** An input of the right shapes, from which parameters are declared. */
export const sampleInput = ({ in_channels, height, width }: NetworkConfig, engine: Engine = shapeEngine()): Noisy => {
  const picture: Planes = empty(engine, [1, in_channels, height, width])
  return [picture, times([0]), tokens([0], [1, 1])]
}

/** What a model is told of so many pictures of which nothing is known, in the shape in which it is told anything. */
export const saidOfNone = ({ network, text_encoder }: DenoisingConfig, count: number): Tokens => {
  const length = text_encoder?.n_positions ?? 1
  return tokens(new Int32Array(count * length).fill(text_encoder?.eos_token_id ?? network.num_classes), [count, length])
}

/** Where a latent diffusion model keeps its autoencoder's parameters. */
export const AUTOENCODER = 'autoencoder'

/** The parameters of a diffusion model, those of its autoencoder among them. */
export const denoisingParameters = (config: DenoisingConfig): ReadonlyMap<string, ParameterSpec> =>
  new Map([
    ...parametersOf(denoisingNetwork(config), sampleInput(config.network)),
    ...[...(config.autoencoder === null ? [] : vaeParameters(config.autoencoder))].map(
      ([name, spec]): [string, ParameterSpec] => [`${AUTOENCODER}.${name}`, spec],
    ),
  ])

const within = ({ encoder, decoder }: Vae): Vae => ({
  encoder: scoped(AUTOENCODER, encoder),
  decoder: scoped(AUTOENCODER, decoder),
})

/** What a diffusion model encodes and decodes pictures with; null where it diffuses the pictures themselves. */
export const autoencoderIn = ({ autoencoder }: DenoisingConfig, parameters: Named): Autoencoder | null =>
  autoencoder === null ? null : autoencoderOf(within(vae(autoencoder)), parameters, autoencoder.scaling_factor)
