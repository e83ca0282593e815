/** What the gpu engine's tests share: the modes that run here, storages on two engines, and the bound of law K1. */
import fc from 'fast-check'
import type { Test } from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import type { GpuMode } from '../../../src/engine/gpu/device.ts'
import type { Storage } from '../../../src/tensor/storage.ts'

/** Those that run everywhere; `webgpu.full.test.ts` asks for `webgpu` by `ENGINE`, as in `test/kernel/engines.ts`. */
export const modes: readonly GpuMode[] = process.env.ENGINE === 'gpu webgpu' ? ['webgpu'] : ['cpu', 'webasm']

const U = 2 ** -24

/** γ_k = k u / (1 - k u) in f32 (Higham, Accuracy and Stability, ch. 3). */
export const gamma = (k: number): number => (k * U) / (1 - k * U)

export const storageOf = (engine: Engine, values: ArrayLike<number>): Storage => {
  const storage = engine.allocate(values.length)
  engine.write(storage, values)
  return storage
}

/** Numbers exact in f32, and none so small that products underflow, of which γ_k knows nothing. */
export const numbers = (
  length: number,
  range: { min?: number; max?: number } = { min: -4, max: 4 },
): fc.Arbitrary<number[]> =>
  fc.array(
    fc.double({ ...range, noNaN: true }).map(v => (Math.abs(v) < 2 ** -40 ? 0 : Math.fround(v))),
    { minLength: length, maxLength: length },
  )

/** The first element whose error exceeds its bound, or null. */
export const firstBeyond = (found: HostData, expected: HostData, bound: (index: number) => number): string | null => {
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(found[i] - expected[i])
    if (found[i] === expected[i] || error <= bound(i)) continue
    return `[${i}] is ${found[i]}, expected ${expected[i]}, error ${error} > ${bound(i)}`
  }
  return null
}

/** Asserts an asynchronous property; it returns what is wrong, or null. */
export const holdsAsync = async <T>(
  t: Test,
  name: string,
  arbitrary: fc.Arbitrary<T>,
  wrong: (value: T) => Promise<string | null>,
  numRuns = 25,
): Promise<void> => {
  const result = await fc.check(
    fc.asyncProperty(arbitrary, async value => {
      const message = await wrong(value)
      if (message !== null) throw new Error(message)
    }),
    { numRuns },
  )
  if (result.failed) t.fail(`${name}\n${fc.defaultReportMessage(result)}`)
  else t.pass(`${name} (${result.numRuns} runs)`)
}
