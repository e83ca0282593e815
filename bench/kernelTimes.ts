/** Where the time of a step goes, by kind of kernel. What no kind names is the host's own work. */
import type { Engine } from '../src/engine/engine.ts'

export interface KernelTime {
  milliseconds: number
  /** As the engine's counter has them. */
  flops: number
  /** Of tensors read and written, each once a launch. */
  bytes: number
}

const nothing: Readonly<KernelTime> = { milliseconds: 0, flops: 0, bytes: 0 }

const kinds: readonly (readonly [kind: string, names: RegExp])[] = [
  ['products', /^(matmul|linear)$/],
  ['attention', /^(attention|jointAttention)/],
  ['activations', /^activation/],
  ['norms', /^(layer|rms|group)Norm/],
  ['loss', /^crossEntropy/],
  ['optimizer', /^(adamW|sumOfSquares|scaleEach|accumulateEach)$/],
]

const kindOf = (name: string): string => kinds.find(([, names]) => names.test(name))?.[0] ?? 'moves and sums'

/** Runs `work` with the engine's kernels timed by kind. */
export const kernelTimes = async (
  { counter, primitives, fused }: Engine,
  work: () => Promise<unknown>,
): Promise<ReadonlyMap<string, KernelTime>> => {
  const times = new Map<string, KernelTime>()
  let counted = { ...counter }
  const undo: (() => void)[] = []
  for (const table of [primitives, fused])
    for (const name of Object.keys(table)) {
      const kernel: unknown = Reflect.get(table, name)
      if (typeof kernel !== 'function') continue
      const time = times.get(kindOf(name)) ?? { ...nothing }
      times.set(kindOf(name), time)
      undo.push(() => Reflect.set(table, name, kernel))
      // A launch is counted just before its kernel is called.
      Reflect.set(table, name, (...values: readonly unknown[]) => {
        const start = performance.now()
        Reflect.apply(kernel, table, values)
        time.milliseconds += performance.now() - start
        time.flops += counter.flops - counted.flops
        time.bytes += counter.movedBytes - counted.movedBytes
        counted = { ...counter }
      })
    }
  try {
    await work()
  } finally {
    for (const each of undo) each()
  }
  return times
}
