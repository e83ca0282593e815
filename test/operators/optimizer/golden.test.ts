/** Five steps each against PyTorch 1.13, in f32, on two engines: parameters and gradients of shape (4, 3). */
import { readFileSync } from 'node:fs'
import test from 'tape'
import { adam, adamW, momentum, type Optimizer, rmsprop } from '../../../operators/optimizer/index.ts'
import { orThrow } from '../../../src/codec/decode.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { floats, type HostTensors } from '../../../src/format/hostTensor.ts'
import { hostTensors, readSafetensors } from '../../../src/format/safetensors.ts'
import { run, type Values } from '../../laws/optimizer.ts'
import { withShared } from '../../shared.ts'

const STEPS = 5
/** Rounding of each of PyTorch's f32 steps; parameters are below 4. */
const BOUND = STEPS * 4 * 2 ** -23

/** The largest difference of the parameters to PyTorch's, over all steps. */
const distance = <S>(engine: Engine, vectors: HostTensors, name: string, make: () => Optimizer<S>): number => {
  const at = (field: string, i: number): Values => {
    const found = vectors.get(`optim_${name}/${field}`)
    if (found === undefined) throw new Error(`no optim_${name}/${field}`)
    return { p: { shape: [4, 3], values: Array.from(floats(found).subarray(12 * i, 12 * (i + 1))) } }
  }
  const gradients = Array.from({ length: STEPS }, (_, i) => at('gradients', i))
  const differences = gradients.map((_, i) => {
    const { parameters } = run(engine, make(), at('p0', 0), gradients.slice(0, i + 1))
    const expected = at('p', i).p.values
    return Math.max(...parameters.p.values.map((value, j) => Math.abs(value - expected[j])))
  })
  return Math.max(...differences)
}

test('golden: five steps of PyTorch', t => {
  withShared(t, 'data/vectors/torch.safetensors', path => {
    const vectors = hostTensors(orThrow(readSafetensors(readFileSync(path), path)))
    for (const engine of [referenceEngine(), wasmEngine()]) {
      const near = <S>(name: string, make: () => Optimizer<S>) => {
        const far = distance(engine, vectors, name, make)
        t.ok(far <= BOUND, `${engine.name}, ${name}: largest difference ${far.toExponential(1)}`)
      }
      near('sgd_momentum', () => momentum({ rate: 0.1 }))
      near('adam', () => adam({ rate: 0.01 }))
      near('adamw', () => adamW({ rate: 0.01, weightDecay: 0.1 }))
      near('rmsprop', () => rmsprop({ rate: 0.01 }))
    }
    t.ok(
      distance(referenceEngine(), vectors, 'adamw', () => adam({ rate: 0.01 })) > BOUND,
      'negative control: without decay it is another optimizer',
    )
  })
  t.end()
})
