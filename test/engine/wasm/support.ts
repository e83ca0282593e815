/** What the wasm engine's tests share: both binaries, storages from numbers, and the bound of law K1. */
import { setFlagsFromString } from 'node:v8'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { key, uniform } from '../../../src/random.ts'
import type { Storage } from '../../../src/tensor/storage.ts'

// Node 20 hides relaxed SIMD behind a flag; without it both entries are the plain binary.
setFlagsFromString('--experimental-wasm-relaxed-simd')

/** Plain SIMD and fused multiply-add. */
export const engines: readonly Engine[] = [wasmEngine({ relaxed: false }), wasmEngine()]

/** `size` numbers in [-1, 1), exact in f32. */
export const numbers = (size: number, seed = 1): Float32Array => uniform(key(seed), size).map(u => 2 * u - 1)

export const put = (engine: Engine, values: ArrayLike<number>): Storage => {
  const storage = engine.allocate(values.length)
  engine.write(storage, values)
  return storage
}

export const get = (storage: Storage, size = storage.size): HostData => {
  const data = storage.engine.read(storage, size)
  if (data instanceof Promise) throw new TypeError('the wasm engine reads at once')
  return data
}

/** Runs `compute` with storages for inputs and one for the result, frees all, returns the result. */
export const computed = (
  engine: Engine,
  size: number,
  inputs: readonly ArrayLike<number>[],
  compute: (out: Storage, ...inputs: Storage[]) => void,
): HostData => {
  const storages = inputs.map(values => put(engine, values))
  const out = put(engine, new Float32Array(size).fill(Number.NaN))
  compute(out, ...storages)
  const result = get(out)
  for (const storage of [...storages, out]) engine.free(storage)
  return result
}

/** A storage of a list, checked. */
export const nth = <T>(list: readonly T[], i: number): T => {
  const item = list[i]
  if (item === undefined) throw new RangeError(`no item ${i}`)
  return item
}

/** γ_k = k u / (1 - k u), u = 2^-24 (Higham, ch. 3). */
export const gamma = (k: number): number => (k * 2 ** -24) / (1 - k * 2 ** -24)

/** Largest |found - expected| / bound; NaN counts as infinite. */
export const worst = (found: ArrayLike<number>, expected: ArrayLike<number>, bound: (i: number) => number): number => {
  let ratio = found.length === expected.length ? 0 : Infinity
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((found[i] ?? Number.NaN) - (expected[i] ?? 0))
    if (!(error === 0)) ratio = Math.max(ratio, Number.isNaN(error) ? Infinity : error / bound(i))
  }
  return ratio
}

/** Equal bit for bit (0 and -0 differ). */
export const sameBits = (x: ArrayLike<number>, y: ArrayLike<number>): boolean =>
  x.length === y.length && Array.from(x).every((value, i) => Object.is(value, y[i]))
