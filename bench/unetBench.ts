/** The bundled model's U-Net with random weights, the same batch for every side. */
import { join } from 'node:path'
import type { Planes } from '../operators/convolution/planes.ts'
import { cosineSchedule, ddim, denoiser, type Level, levelAt, squaredError } from '../operators/diffusion/index.ts'
import { adamW, chain, clipByGlobalNorm } from '../operators/optimizer/index.ts'
import { denoisingPresets } from '../pipelines/diffusion/denoisingPresets.ts'
import { networkOf, sampleInput } from '../pipelines/diffusion/networkOf.ts'
import { upload } from '../pipelines/parameters.ts'
import { objectiveTrainer } from '../pipelines/trainer.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { UnetConfig } from '../src/codec/unet.ts'
import { compose } from '../src/compose.ts'
import { context } from '../src/context.ts'
import type { Engine, HostData } from '../src/engine/engine.ts'
import { f32 } from '../src/format/hostTensor.ts'
import { parametersOf } from '../src/initialize.ts'
import { fold, integers, key, normal } from '../src/random.ts'
import { scope, tensorsOf } from '../src/tensor/scope.ts'
import { readNow, sizeOf, tensor } from '../src/tensor/tensor.ts'
import { times } from '../src/tensor/times.ts'
import { tokens } from '../src/tensor/tokens.ts'
import type { Steps } from './ours.ts'
import type { Answer, Peer } from './peer.ts'
import { writeWeights } from './weights.ts'

export const config = decodeOrThrow(
  UnetConfig,
  { ...denoisingPresets.digits.network, in_channels: 1, height: 28, width: 28, num_classes: 10 },
  'bench',
)
const model = networkOf(config)
const root = key(5)

/** Every parameter of N(0, 1 / (2 inputs + 8)), about 1 where it scales a norm, so that no branch is silent. */
const weights = new Map(
  [...parametersOf(model, sampleInput(config))].map(([name, { shape }]) => {
    const inputs = Math.max(1, sizeOf(shape) / (shape[0] ?? 1))
    const centre = /norm.*\.weight$/.test(name) ? 1 : 0
    const values = normal(fold(root, name), sizeOf(shape)).map(value => centre + value / Math.sqrt(2 * inputs + 8))
    return [name, f32(shape, Float32Array.from(values))]
  }),
)

/** The file of the weights, for peers. */
export const weightsIn = (cache: string): string => {
  const path = join(cache, 'unet.safetensors')
  writeWeights(path, weights)
  return path
}

export interface UnetBatch {
  readonly x: readonly number[]
  readonly target: readonly number[]
  readonly times: readonly number[]
  readonly labels: readonly number[]
  readonly shape: readonly [number, number, number, number]
}

export const unetBatch = (batch: number): UnetBatch => {
  const shape = [batch, 1, 28, 28] as const
  const draw = (name: string) => Array.from(Float32Array.from(normal(fold(root, name), sizeOf(shape))))
  return {
    shape,
    x: draw('x'),
    target: draw('target'),
    times: [...integers(fold(root, 'times'), batch, 1000)],
    labels: [...integers(fold(root, 'labels'), batch, 11)],
  }
}

/** The batch as the model takes it, made before the clock starts, as peers make theirs. */
const inputsOf = (engine: Engine, { x, target, times: at, labels, shape }: UnetBatch) => {
  const [image, wanted]: readonly [Planes, Planes] = [tensor(engine, shape, x), tensor(engine, shape, target)]
  return { noisy: [image, times(at), tokens(labels, [labels.length, 1])], target: wanted } as const
}
type Inputs = ReturnType<typeof inputsOf>

/** Training steps on one batch: forward, backward, clip to norm 1, AdamW. */
export const unetTrainer = (engine: Engine) => {
  const optimizer = chain(clipByGlobalNorm(1), adamW({ rate: 1e-3, beta1: 0.9, beta2: 0.99, weightDecay: 0 }))
  const trainer = objectiveTrainer<Inputs & { readonly index: number }, ReturnType<typeof optimizer.init>>(
    (c, { noisy, target }) => compose(model, squaredError(target))(c, noisy),
    optimizer,
    () => ({ parameters: upload(weights, engine), optimizer: optimizer.init(), step: 0 }),
    key(0),
  )
  let state = trainer.init()
  return (batch: UnetBatch, steps: number): Steps => {
    const inputs = inputsOf(engine, batch)
    const losses: number[] = []
    const start = performance.now()
    for (let index = 0; index < steps; index++) {
      const { loss, next } = scope(() => {
        const gradient = trainer.gradient(state, { ...inputs, index })
        const [, next] = trainer.update(state, gradient)
        return { loss: readNow(gradient.loss)[0] ?? Number.NaN, next }
      })
      losses.push(loss)
      state = next
    }
    const milliseconds = performance.now() - start
    for (const x of tensorsOf(inputs)) x.release()
    return { losses, milliseconds }
  }
}

const schedule = cosineSchedule()
export const startLevel: Level = levelAt(schedule, 500)
export const endLevel: Level = levelAt(schedule, 466)
/** The levels as peers take them. */
export const levels = {
  start_level: [startLevel.alpha, startLevel.sigma],
  end_level: [endLevel.alpha, endLevel.sigma],
}

/** DDIM steps of a batch, each picture told its own time. */
export const unetDenoiser = (engine: Engine) => {
  const parameters = upload(weights, engine)
  const sampler = ddim()
  return (batch: UnetBatch, steps: number): { readonly sample: HostData; readonly milliseconds: number } =>
    scope(() => {
      const { noisy } = inputsOf(engine, batch)
      const [x] = noisy
      const predict = () => model(context(parameters, { differentiable: false }), noisy).value
      const asked = denoiser(predict, { prediction: 'v' })
      const move = () =>
        scope(() => {
          const [{ sample }] = sampler.step(sampler.init(), {
            x,
            from: startLevel,
            to: endLevel,
            key: root,
            denoiser: asked,
          })
          return sample
        })
      const start = performance.now()
      for (let step = 1; step < steps; step++) move().release()
      const sample = move()
      const milliseconds = performance.now() - start
      return { sample: readNow(sample), milliseconds }
    })
}

/** Arithmetic of some work, products and sums counted one by one, in 1e9. */
export const gigaflops = (engine: Engine, work: () => unknown): number => {
  const before = engine.counter.flops
  work()
  return (engine.counter.flops - before) / 1e9
}

/** Gives a peer the weights. */
export const loadInto = (peer: Peer, cache: string, threads: number): Promise<Answer> =>
  peer.ask({ do: 'load', weights: weightsIn(cache), config, threads })
