/** Values and gradients of PyTorch 1.13 (f32), on the engines that answer at once. Their rounding is PyTorch's: within 32 units of 2^-24 of the largest number. */
import { readFileSync } from 'node:fs'
import { isLeft } from 'fp-ts/lib/Either.js'
import test, { type Test } from 'tape'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { floats, type HostTensors } from '../../src/format/hostTensor.ts'
import { hostTensors, readSafetensors } from '../../src/format/safetensors.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { withShared } from '../shared.ts'

export const ROUNDINGS = 32 * 2 ** -24

/** The largest difference over the largest number expected. */
export const distance = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  const [x, y] = [Array.from(found), Array.from(expected)]
  const worst = x.reduce((largest, a, i) => Math.max(largest, Math.abs(a - (y[i] ?? Number.NaN))), 0)
  return worst / y.reduce((largest, b) => Math.max(largest, Math.abs(b)), 0)
}

export interface Golden {
  /** A tensor of a case on the engine. */
  readonly at: (name: string) => Tensor
  readonly numbers: (name: string) => Float32Array
}

/** Tensors and the vectors they should be. */
export type Pairs = readonly (readonly [Tensor | undefined, string])[]

export const golden = (name: string, check: (file: Golden) => Pairs): void => {
  test(`golden: ${name} as PyTorch`, t => {
    withShared(t, 'data/vectors/torch.safetensors', path => {
      const read = readSafetensors(new Uint8Array(readFileSync(path)), path)
      if (isLeft(read)) throw read.left
      const file = hostTensors(read.right)
      for (const engine of [referenceEngine(), wasmEngine()])
        scope(() => {
          const pairs = check({
            at: key => tensor(engine, found(file, key).shape, floats(found(file, key))),
            numbers: key => floats(found(file, key)),
          })
          for (const [x, key] of pairs) compare(t, engine.name, x, file, key)
        })
    })
    t.end()
  })
}

const found = (file: HostTensors, key: string) => {
  const x = file.get(key)
  if (x === undefined) throw new RangeError(`no vector ${key}`)
  return x
}

const compare = (t: Test, engine: string, x: Tensor | undefined, file: HostTensors, key: string): void => {
  const off = x === undefined ? Number.NaN : distance(readNow(x), floats(found(file, key)))
  t.ok(off <= ROUNDINGS, `${engine} ${key}: ${(off / 2 ** -24).toFixed(1)} u off`)
}
