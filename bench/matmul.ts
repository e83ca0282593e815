/** A product of two n x n matrices of ours. */
import type { Engine, HostData } from '../src/engine/engine.ts'
import { matmul } from '../src/kernel/matmul.ts'
import { key } from '../src/random/key.ts'
import { uniform } from '../src/random/uniform.ts'
import { scope } from '../src/tensor/scope.ts'
import { readNow, tensor } from '../src/tensor/tensor.ts'

/** n x n numbers between -1 and 1. */
export const squareOf = (n: number, seed: number): Float32Array =>
  Float32Array.from(uniform(key(seed), n * n), u => 2 * u - 1)

export interface Matmul {
  /** Read back to the host. */
  once(): HostData
  /** Of one product, the mean of so many that stay in the engine, which computes at once. */
  milliseconds(times: number): number
  /** As `milliseconds`, each read back: into memory that the host has to find for it, mostly. */
  readBack(times: number): number
  release(): void
}

export const matmulOf = (engine: Engine, n: number, x: Float32Array, y: Float32Array): Matmul => {
  const left = tensor<readonly ['row', 'inner']>(engine, [n, n], x)
  const right = tensor<readonly ['inner', 'column']>(engine, [n, n], y)
  const product = () => matmul(left, right)
  const once = () => scope(() => readNow(product()))
  const mean = (times: number, work: () => unknown): number => {
    const start = performance.now()
    for (let i = 0; i < times; i++) work()
    return (performance.now() - start) / times
  }
  return {
    once,
    milliseconds: times => mean(times, () => scope(product).release()),
    readBack: times => mean(times, once),
    release: () => {
      left.release()
      right.release()
    },
  }
}

/** Products of one measurement: about 50 ms at 50 GFLOP/s. */
export const timesOf = (n: number): number => Math.max(2, Math.round(1.25e9 / n ** 3))

export const gigaflops = (n: number, milliseconds: number): number => (2 * n ** 3) / milliseconds / 1e6
