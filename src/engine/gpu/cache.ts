import type { CompiledKernel, Grid, Handle, KernelSource } from './device.ts'

/** Kernels kept per engine. Each `webasm` one holds a memory, of which a Node process gets about 13,000, a browser page some hundred. */
const KEPT = 1024
/** With so few a model would compile all the time: better to say that memory ran out. */
const FEWEST = 16

/** Compiled kernels by key, the least recently used evicted. */
export class KernelCache {
  readonly #compile: (source: KernelSource, grid: Grid) => CompiledKernel
  readonly #kernels = new Map<string, CompiledKernel>()
  #kept = KEPT

  constructor(compile: (source: KernelSource, grid: Grid) => CompiledKernel) {
    this.#compile = compile
  }

  /** Runs the kernel of a key, compiled on first use. Where memories run out, half of the kernels make room. */
  run(key: string, source: () => KernelSource, grid: Grid, operands: readonly (Handle | number)[]): Handle {
    for (;;) {
      const kernel = this.#take(key) ?? this.#compile(source(), grid)
      this.#kernels.set(key, kernel)
      this.#evict(this.#kept)
      try {
        return kernel.run(operands)
      } catch (error) {
        if (!(error instanceof RangeError) || this.#kernels.size <= FEWEST) throw error
        this.#take(key)?.destroy()
        this.#kept = Math.max(FEWEST, this.#kernels.size >> 1)
        this.#evict(this.#kept)
      }
    }
  }

  #take(key: string): CompiledKernel | undefined {
    const kernel = this.#kernels.get(key)
    this.#kernels.delete(key)
    return kernel
  }

  #evict(kept: number): void {
    for (const [key, kernel] of this.#kernels) {
      if (this.#kernels.size <= kept) return
      this.#kernels.delete(key)
      kernel.destroy()
    }
  }
}
