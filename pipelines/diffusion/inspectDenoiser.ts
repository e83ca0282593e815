/** What a diffusion model costs, found by running it on the `shape` engine, which counts and computes nothing. */
import { type DenoisingConfig, pictureSizeOf } from '../../src/codec/denoising.ts'
import { context } from '../../src/context.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { sizeOf } from '../../src/tensor/tensor.ts'
import { cost, declared } from '../cost.ts'
import type { InspectedTensor } from '../inspect.ts'
import { lossGradient } from '../trainer.ts'
import { denoisingObjective } from './denoisingObjective.ts'
import { denoisingNetwork, denoisingParameters, saidOfNone, sampleInput } from './networkOf.ts'
import { scheduleOf } from './scheduleOf.ts'

/** Of one picture; a multiply and an add count two. */
interface OfPicture {
  /** The network once: a step of most samplers, without guidance; with it, and for Heun's, twice. */
  readonly denoise: number
  /** Loss and gradient. */
  readonly train: number
}

export interface DenoiserInspection {
  /** Numbers in all parameter tensors. */
  readonly parameters: number
  readonly tensors: readonly InspectedTensor[]
  /** Channels, height and width of what is drawn; latents are smaller. */
  readonly picture: readonly [number, number, number]
  readonly classes: readonly string[]
  readonly flops: OfPicture
  /** Bytes of the tensors that kernels read and write, f32. */
  readonly bytes: OfPicture
  /** Bytes: parameters, and most at once, parameters included. */
  readonly memory: OfPicture & { readonly parameters: number }
}

/** Parameters, shapes, FLOPs and memory of a configuration's network. */
export const inspectDenoiser = (config: DenoisingConfig): DenoiserInspection => {
  const model = denoisingNetwork(config)
  const { in_channels, height, width } = config.network
  const picture = pictureSizeOf(config)
  const specs = denoisingParameters(config)
  const labels = saidOfNone(config, 1)
  const tensors = Array.from(specs, ([name, { shape }]) => ({
    name,
    shape,
    elements: sizeOf(shape),
    type: 'f32' as const,
  }))
  const engine = shapeEngine()
  const parameters = declared(specs, engine)
  const held = engine.counter.liveBytes
  const step = context(parameters, { differentiable: false })
  const denoise = cost(engine, () =>
    scope(() => {
      const [noisy, time] = sampleInput(config.network, engine)
      return model(step, [noisy, time, labels]).value
    }).release(),
  )
  const train = cost(engine, () =>
    lossGradient(
      denoisingObjective({
        engine,
        model,
        schedule: scheduleOf(config),
        prediction: config.prediction_type,
        weighting: 'simple',
        learnedVariance: config.network.learn_sigma,
      }),
      parameters,
      {
        index: 0,
        shape: [1, in_channels, height, width],
        pictures: new Float32Array(in_channels * height * width),
        labels,
      },
      key(0),
    ),
  )
  return {
    parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
    tensors,
    picture: [picture.in_channels, picture.height, picture.width],
    classes: config.class_names,
    flops: { denoise: denoise.flops, train: train.flops },
    bytes: { denoise: denoise.movedBytes, train: train.movedBytes },
    memory: { parameters: held, denoise: denoise.peakBytes, train: train.peakBytes },
  }
}
