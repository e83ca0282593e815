import type { Planes } from '../../operators/convolution/planes.ts'
import type { NetworkConfig } from '../../src/codec/denoising.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { empty } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { dit } from './dit.ts'
import type { ClassConditionalModel, Noisy } from './network.ts'
import { unet } from './unet.ts'

/** The network of a configuration: every architecture that opens is one line here. */
export const networkOf = (config: NetworkConfig): ClassConditionalModel =>
  config.model_type === 'dit' ? dit(config) : unet(config)

/** An input of the right shapes, from which parameters are declared. */
export const sampleInput = ({ in_channels, height, width }: NetworkConfig, engine: Engine = shapeEngine()): Noisy => {
  const picture: Planes = empty(engine, [1, in_channels, height, width])
  return [picture, times([0]), tokens([0], [1, 1])]
}
