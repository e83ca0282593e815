/**
 * The ε-model of sdaloglu/diffusion_with_entropy (MIT), a small DDPM for 28 x 28 digits in [-0.5, 0.5], opened under its own names:
 *
 *   gt.frequencies                   f (16)      time features sin(t f), cos(t f) - 1 with t = step / T
 *   gt.time_embed.{0,2,4,6}          linear 32 -> 128 -> 128 -> 128 -> 16, GELU between; added to the channels after block 0
 *   gt.blocks.i.net.{0,1}            i = 0 … 3: convolution 7 x 7 padded by 3, layer norm over (channels, height, width); then GELU
 *   gt.blocks.4                      convolution 3 x 3 padded by 1, to one channel
 *   beta_t, alpha_t                  T + 1 numbers each, alpha_t cumulative: our β and ᾱ
 */
import { gelu } from '../../operators/activation.ts'
import { addChannels } from '../../operators/addChannels.ts'
import { convolution2d } from '../../operators/convolution/convolution2d.ts'
import type { Planes } from '../../operators/convolution/planes.ts'
import type { DiffusionModel } from '../../operators/diffusion/denoiser.ts'
import type { Level } from '../../operators/diffusion/level.ts'
import { levelAt, noiseSchedule } from '../../operators/diffusion/schedule/noiseSchedule.ts'
import { spacedTimes } from '../../operators/diffusion/schedule/spacing.ts'
import type { Hidden } from '../../operators/hidden.ts'
import { linear } from '../../operators/linear.ts'
import { layerNorm } from '../../operators/norm/layerNorm.ts'
import { orThrow } from '../../src/codec/decode.ts'
import { parallel, sequence } from '../../src/compose.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { floats, type HostTensors } from '../../src/format/hostTensor.ts'
import { checkTensors } from '../../src/format/modelTensors.ts'
import { parametersOf } from '../../src/initialize.ts'
import type { Operator } from '../../src/operator.ts'
import { type Shape, tensor } from '../../src/tensor/tensor.ts'
import { type Times, times } from '../../src/tensor/times.ts'
import { upload } from '../parameters.ts'

const STEPS = 1000
const FREQUENCIES = 16
const TIME_WIDTH = 128
const CHANNELS = [16, 32, 32, 16]
const SIZE = 28
const EPSILON = 1e-5

/** (sin(t f), cos(t f) - 1) beside the pictures, angles in f64. */
const timeFeatures =
  (frequencies: ArrayLike<number>): Operator<readonly [Planes, Times], readonly [Planes, Hidden]> =>
  (_, [x, { times }]) => {
    const angles = Array.from(times, t => Array.from(frequencies, f => t * f))
    const rows = angles.flatMap(row => [...row.map(Math.sin), ...row.map(angle => Math.cos(angle) - 1)])
    return {
      value: [x, tensor(x.engine, [times.length, 1, 2 * frequencies.length], rows)],
      state: {},
      saved: [],
      pullback: ([dx]) => [{}, [dx, null]],
    }
  }

const timeEmbed = (): Operator<Hidden, Hidden> => {
  const layer = (at: number, width: number): Operator<Hidden, Hidden> =>
    linear({ name: `gt.time_embed.${at}`, from: 'width', to: 'width', width, bias: true, layout: 'torch' })
  const act: Operator<Hidden, Hidden> = gelu
  const [first = 0] = CHANNELS
  return sequence(layer(0, TIME_WIDTH), act, layer(2, TIME_WIDTH), act, layer(4, TIME_WIDTH), act, layer(6, first))
}

const block = (at: number): Operator<Planes, Planes> => {
  const name = `gt.blocks.${at}.net`
  const norm: Operator<Planes, Planes> = layerNorm({ name: `${name}.1`, axes: 3, bias: true, epsilon: EPSILON })
  const act: Operator<Planes, Planes> = gelu
  return sequence(convolution2d({ name: `${name}.0`, outputs: CHANNELS[at] ?? 0, kernel: 7, padding: 3 }), norm, act)
}

/** The network; times are step / T. */
const network = (frequencies: ArrayLike<number>): DiffusionModel<readonly ['batch', 'channels', 'height', 'width']> =>
  sequence(
    timeFeatures(frequencies),
    parallel(block(0), timeEmbed()),
    addChannels,
    block(1),
    block(2),
    block(3),
    convolution2d({ name: 'gt.blocks.4', outputs: 1, kernel: 3, padding: 1 }),
  )

export interface EntropyDdpm {
  readonly model: DiffusionModel<readonly ['batch', 'channels', 'height', 'width']>
  readonly parameters: Named
  /** A descent of so many steps, times as the network is told them. */
  readonly levels: (steps: number) => readonly Level[]
}

/** Opens the checkpoint on an engine; missing tensors, strangers and other shapes are an InputError that names the file. */
export const openEntropyDdpm = (tensors: HostTensors, engine: Engine, where: string): EntropyDdpm => {
  const none = new Float32Array(FREQUENCIES)
  const sample = [
    tensor<readonly ['batch', 'channels', 'height', 'width']>(
      engine,
      [1, 1, SIZE, SIZE],
      new Float32Array(SIZE * SIZE),
    ),
    times(0),
  ] as const
  const specs = parametersOf(network(none), sample)
  sample[0].release()
  const weights: ReadonlyMap<string, Shape> = new Map([...specs].map(([name, { shape }]) => [name, shape]))
  const numbers: ReadonlyMap<string, Shape> = new Map([
    ['gt.frequencies', [FREQUENCIES]],
    ['beta_t', [STEPS + 1]],
    ['alpha_t', [STEPS + 1]],
  ])
  const checked = orThrow(checkTensors(new Map([...weights, ...numbers]), tensors, where))
  const numbersOf = (name: string): Float32Array | Float64Array => {
    const found = checked.get(name)
    return found === undefined ? none : floats(found)
  }
  const schedule = noiseSchedule(numbersOf('beta_t'))
  const at = (step: number): Level => ({ ...levelAt(schedule, step), time: step / STEPS })
  return {
    model: network(numbersOf('gt.frequencies')),
    parameters: upload(new Map([...checked].filter(([name]) => weights.has(name))), engine),
    levels: steps => [...spacedTimes(STEPS, steps, 'trailing').map(time => at(time + 1)), levelAt(schedule, -1)],
  }
}
