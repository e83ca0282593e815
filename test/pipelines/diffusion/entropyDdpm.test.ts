/** A trained DDPM that we did not make: its ε is PyTorch's, and what it draws are digits. */
import { readFileSync } from 'node:fs'
import { lastValueFrom } from 'rxjs'
import test from 'tape'
import { denoiser, predictor } from '../../../operators/diffusion/denoiser.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { denoise } from '../../../pipelines/diffusion/denoise.ts'
import { openEntropyDdpm } from '../../../pipelines/diffusion/entropyDdpm.ts'
import { orThrow } from '../../../src/codec/decode.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { floats, type HostTensors } from '../../../src/format/hostTensor.ts'
import { hostTensors, readSafetensors } from '../../../src/format/safetensors.ts'
import { read, tensor } from '../../../src/tensor/tensor.ts'
import { withShared } from '../../shared.ts'
import { live } from '../support.ts'

const open = (path: string): HostTensors => hostTensors(orThrow(readSafetensors(readFileSync(path), path)))

test('golden: the ddpm_mnist checkpoint predicts the recorded noise to 1e-4', async t => {
  await withShared(t, 'data/ddpm_mnist/model.safetensors', async path => {
    const engine = wasmEngine()
    const { model, parameters } = openEntropyDdpm(open(path), engine, path)
    const reference = open(path.replace('model', 'reference'))
    const [x, times, eps] = ['x', 't', 'eps'].map(name => {
      const found = reference.get(name)
      if (found === undefined) throw new Error(`reference has no ${name}`)
      return floats(found)
    })
    const size = 28 * 28
    for (const [row, time] of Array.from(times ?? []).entries()) {
      const one = tensor(engine, [1, 1, 28, 28], (x ?? []).slice(row * size, (row + 1) * size))
      const found = await read(predictor(model, parameters)(one, { time, alpha: 1, sigma: 1 }))
      const apart = Math.max(
        ...Array.from(found, (value, i) => Math.abs(value - (eps?.[row * size + i] ?? Number.NaN))),
      )
      t.ok(apart < 1e-4, `t = ${time}: ${apart.toExponential(1)} apart`)
      const other = await read(predictor(model, parameters)(one, { time: time / 2, alpha: 1, sigma: 1 }))
      t.ok(
        other.some((value, i) => Math.abs(value - (found[i] ?? 0)) > 1e-3),
        'control: another time',
      )
    }
    const tensors = new Map(open(path))
    tensors.delete('gt.blocks.4.bias')
    t.throws(
      () => openEntropyDdpm(tensors, engine, 'there'),
      /there: gt\.blocks\.4\.bias: expected a tensor \[1\], found none/,
    )
  })
  t.end()
})

test('it draws digits: dark ground, one bright connected stroke', async t => {
  await withShared(t, 'data/ddpm_mnist/model.safetensors', async path => {
    const engine = wasmEngine({ threads: 2 })
    const { model, parameters, levels } = openEntropyDdpm(open(path), engine, path)
    const frames$ = denoise({
      engine,
      shape: [4, 1, 28, 28],
      levels: levels(25),
      sampler: ddim(),
      denoiser: denoiser(predictor(model, parameters), { prediction: 'epsilon', clip: 0.5 }),
      seed: 3,
    })
    const { sample } = await lastValueFrom(frames$)
    for (let row = 0; row < 4; row++) {
      const picture = Array.from(sample.slice(row * 784, (row + 1) * 784))
      const ink = picture.filter(value => value > 0).length / 784
      const ground = picture.filter(value => value < -0.4).length / 784
      // Of 10,000 test digits 3 to 35 % of the pixels are above the middle, and half at least are black.
      t.ok(ink > 0.03 && ink < 0.35 && ground > 0.5, `ink ${ink.toFixed(2)}, ground ${ground.toFixed(2)}`)
    }
    for (const parameter of Object.values(parameters)) parameter.release()
    t.equal(live(engine), 0)
    engine.close()
  })
  t.end()
})
