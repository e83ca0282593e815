/** What an autoencoder costs, found by running it on the `shape` engine, which counts and computes nothing. */
import { latentSize, type VaeConfig } from '../../src/codec/vae.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { key } from '../../src/random.ts'
import { empty, sizeOf, type Tensor } from '../../src/tensor/tensor.ts'
import { type Cost, cost, declared } from '../cost.ts'
import type { InspectedTensor } from '../inspect.ts'
import { lossGradient } from '../trainer.ts'
import { autoencoderOf } from './latent.ts'
import { vae, vaeLoss } from './vae.ts'
import { vaeParameters } from './vaeRun.ts'

/** Of one picture; a multiply and an add count two. */
interface OfPicture {
  readonly encode: number
  readonly decode: number
  /** Loss and gradient. */
  readonly train: number
}

type Planes = readonly [channels: number, height: number, width: number]

export interface AutoencoderInspection {
  /** Numbers in all parameter tensors. */
  readonly parameters: number
  readonly tensors: readonly InspectedTensor[]
  readonly picture: Planes
  readonly latent: Planes
  readonly flops: OfPicture
  /** Bytes of the tensors that kernels read and write, f32. */
  readonly bytes: OfPicture
  /** Bytes: parameters, and most at once, parameters included. */
  readonly memory: OfPicture & { readonly parameters: number }
}

const planesOf = ({ in_channels, height, width }: ReturnType<typeof latentSize>): Planes => [in_channels, height, width]

/** Parameters, shapes, FLOPs and memory of a configuration. */
export const inspectAutoencoder = (config: VaeConfig): AutoencoderInspection => {
  const specs = vaeParameters(config)
  const model = vae(config)
  const [picture, latent] = [planesOf(config), planesOf(latentSize(config))]
  const engine = shapeEngine()
  const parameters = declared(specs, engine)
  const held = engine.counter.liveBytes
  const { encode, decode } = autoencoderOf(model, parameters, config.scaling_factor)
  const through = (f: (x: Tensor) => Tensor, planes: Planes): Cost =>
    cost(engine, () => {
      const x = empty(engine, [1, ...planes])
      f(x).release()
      x.release()
    })
  const costs = {
    encode: through(encode, picture),
    decode: through(decode, latent),
    train: cost(engine, () =>
      lossGradient(c => vaeLoss(model, 1)(c, empty(engine, [1, ...picture])), parameters, { index: 0 }, key(0)),
    ),
  }
  const of = (name: keyof Cost): OfPicture => ({
    encode: costs.encode[name],
    decode: costs.decode[name],
    train: costs.train[name],
  })
  const tensors = Array.from(specs, ([name, { shape }]) => ({
    name,
    shape,
    elements: sizeOf(shape),
    type: 'f32' as const,
  }))
  return {
    parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
    tensors,
    picture,
    latent,
    flops: of('flops'),
    bytes: of('movedBytes'),
    memory: { parameters: held, ...of('peakBytes') },
  }
}
