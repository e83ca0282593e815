/**
 * One seed on every engine: the random bits are the same everywhere, so with a deterministic sampler the pictures are the same but for rounding, one grey level at most;
 * bit for bit on one engine. And what follows from determinism: encoding, interpolation, long runs.
 */
import { lastValueFrom } from 'rxjs'
import test from 'tape'
import { conditioned, denoiser, predictor } from '../../../operators/diffusion/denoiser.ts'
import { noiseOf } from '../../../operators/diffusion/noise.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { ddpm } from '../../../operators/diffusion/sampler/ddpm.ts'
import { dpmSolver } from '../../../operators/diffusion/sampler/dpmSolver.ts'
import { heun } from '../../../operators/diffusion/sampler/probabilityFlow.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { scheduleLevels } from '../../../operators/diffusion/schedule/spacing.ts'
import { slerp } from '../../../operators/diffusion/slerp.ts'
import { denoise } from '../../../pipelines/diffusion/denoise.ts'
import { networkOf, sampleInput } from '../../../pipelines/diffusion/networkOf.ts'
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { NetworkConfig } from '../../../src/codec/denoising.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { toBytes } from '../../../src/format/pictures.ts'
import { parametersOf } from '../../../src/initialize.ts'
import { fold, key, normal } from '../../../src/random.ts'
import { read, sizeOf, tensor } from '../../../src/tensor/tensor.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import { engines } from '../../kernel/engines.ts'
import { gaussianDenoiser } from '../../laws/diffusion.ts'
import { live } from '../support.ts'

const config = decodeOrThrow(
  NetworkConfig,
  {
    model_type: 'unet',
    in_channels: 1,
    height: 8,
    width: 8,
    num_classes: 2,
    model_channels: 8,
    channel_mult: [1, 2],
    num_res_blocks: 1,
    attention_levels: [1],
    num_heads: 2,
    norm_num_groups: 2,
  },
  'test',
)
const shape = [2, 1, 8, 8]
const levels = scheduleLevels(linearSchedule(), 8, { spacing: 'trailing' })

/** Two pictures of a U-Net with random weights. */
const draw = async (engine: Engine, sampler: Sampler, seed = 1): Promise<Float64Array> => {
  const model = networkOf(config)
  const parameters = Object.fromEntries(
    [...parametersOf(model, sampleInput(config))].map(([path, spec], i) => [
      path,
      tensor(
        engine,
        spec.shape,
        normal(fold(key(5), i), sizeOf(spec.shape)).map(x => 0.15 * x),
      ),
    ]),
  )
  const predict = predictor(conditioned(model, tokens([0, 1], [2, 1])), parameters)
  const estimate = denoiser(predict, { prediction: 'v', clip: 1 })
  const { sample } = await lastValueFrom(denoise({ engine, shape, levels, sampler, denoiser: estimate, seed }))
  for (const parameter of Object.values(parameters)) parameter.release()
  return Float64Array.from(sample)
}
/** How many grey levels two pictures are apart at most. */
const apart = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  const [a, b] = [toBytes(x), toBytes(y)]
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))))
}

test('one seed, one picture: bit for bit on an engine, within one grey level between engines; random bits equal everywhere', async t => {
  const samplers = { ddim: ddim(), 'dpm++': dpmSolver, heun }
  const reference = new Map<string, Float64Array>()
  for (const [name, sampler] of Object.entries(samplers)) reference.set(name, await draw(referenceEngine(), sampler))
  const bits = normal(fold(key(1), 'bits'), 64).map(Math.fround)
  for (const { name, make } of engines) {
    const engine = make()
    const drawn = noiseOf(engine, [64], fold(key(1), 'bits'))
    t.deepEqual(Array.from(await read(drawn), Math.fround), Array.from(bits), `${name}: random bits`)
    drawn.release()
    for (const [which, sampler] of Object.entries(samplers)) {
      const picture = await draw(engine, sampler)
      const levelsApart = apart(picture, reference.get(which) ?? [])
      t.ok(levelsApart <= 1, `${name}, ${which}: ${levelsApart} grey levels from f64`)
      if (which === 'ddim') t.deepEqual(await draw(engine, sampler), picture, `${name}: again, bit for bit`)
    }
    t.equal(live(engine), 0, `${name}: nothing left`)
  }
  t.ok(apart(await draw(referenceEngine(), ddim(), 2), reference.get('ddim') ?? []) > 20, 'control: another seed')
  t.end()
})

test('encoding by DDIM upwards is undone downwards; between two encodings lie mixtures', async t => {
  const engine = wasmEngine()
  const dense = scheduleLevels(linearSchedule(), 250, { spacing: 'trailing' }).slice(0, -1)
  const first = levelAt(linearSchedule(), 3)
  const down = [...dense, first]
  const estimate = gaussianDenoiser(0.2, 0.5)
  const along = async (path: typeof dense, noise: ArrayLike<number>) => {
    // Scaled as `denoise` scales the noise it starts from.
    const start = Float64Array.from(noise, x => x / (path[0]?.sigma ?? 1))
    const options = { engine, shape: [1, 4], levels: path, sampler: ddim(), denoiser: estimate, noise: start }
    return Array.from((await lastValueFrom(denoise(options))).sample)
  }
  const pictures = [
    [0.9, -0.3, 0.1, 0.4],
    [-0.5, 0.8, 0.3, -0.2],
  ]
  const codes = await Promise.all(pictures.map(picture => along([...down].reverse(), picture)))
  const back = await Promise.all(codes.map(code => along(down, code)))
  const worst = Math.max(...back.flatMap((x, i) => x.map((a, j) => Math.abs(a - (pictures[i]?.[j] ?? 0)))))
  t.ok(worst < 0.02, `encoded and decoded: ${worst.toFixed(4)} off`)
  const [a = [], b = []] = codes
  const middle = await along(down, slerp(a, b, 0.5))
  const ends = await along(down, slerp(a, b, 0))
  t.ok(
    ends.every((x, i) => Math.abs(x - (back[0]?.[i] ?? 0)) < 1e-5),
    'an end is the picture itself',
  )
  t.ok(
    middle.every((x, i) => Math.abs(x - (back[0]?.[i] ?? 0)) > 1e-3 && Math.abs(x - (back[1]?.[i] ?? 0)) > 1e-3),
    'the middle is neither',
  )
  const coarse = await along([...scheduleLevels(linearSchedule(), 4, { spacing: 'trailing' }).slice(0, -1), first], a)
  t.ok(
    coarse.some((x, i) => Math.abs(x - (pictures[0]?.[i] ?? 0)) > 0.05),
    'control: by other steps',
  )
  engine.close()
  t.end()
})

test('S9 S15: 100,000 steps complete, in the memory of a few', async t => {
  const many = Array.from({ length: 100_001 }, (_, i) => ({ time: i, alpha: 1, sigma: 1 + (100_000 - i) / 1e5 }))
  const peak = async (count: number): Promise<number> => {
    const engine = referenceEngine()
    const path = many.slice(0, count + 1)
    let step = 0
    const options = { engine, shape: [1], levels: path, sampler: ddpm(), denoiser: gaussianDenoiser(0, 1) }
    await new Promise<void>((resolve, reject) => {
      denoise(options).subscribe({ next: frame => (step = frame.step), complete: resolve, error: reject })
    })
    t.equal(step, count)
    t.equal(live(engine), 0)
    return engine.counter.peakBytes
  }
  t.equal(await peak(100_000), await peak(100), 'the same peak')
  t.end()
})
