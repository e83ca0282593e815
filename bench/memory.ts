/** Memory that is alive: JavaScript's heap of this thread after a collection, and what lies outside it, WebAssembly's memories included. */
import { setTimeout } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
import { figure } from './results.ts'

v8.setFlagsFromString('--expose-gc')
const collect: unknown = vm.runInNewContext('gc')

/** Memories that threads share: V8 counts only the others as external. */
const shared = new Set<WeakRef<WebAssembly.Memory>>()
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor)
    if (descriptor.shared) shared.add(new WeakRef(this))
  }
}

/** Bytes alive now, in JavaScript's heap and outside of it: WebAssembly's memories and host arrays. */
export const aliveBytes = (): { readonly heap: number; readonly external: number } => {
  if (typeof collect !== 'function') throw new TypeError('this host collects no garbage on demand')
  // What the first collection finalises, the second frees.
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  const threaded = Array.from(shared, memory => memory.deref()?.buffer.byteLength ?? 0)
  return { heap: heapUsed, external: threaded.reduce((a, b) => a + b, external) }
}

/** Lets go of what earlier rows left: finalizers run between two collections. */
export const forgetEarlier = async (): Promise<void> => {
  for (let i = 0; i < 2; i++) {
    aliveBytes()
    await setTimeout(100)
  }
}

/** Megabytes at one moment of a run. */
export interface Moment {
  /** `heap` and `external` together. */
  readonly alive: number
  /** JavaScript's objects and code. */
  readonly heap: number
  readonly external: number
  /** What V8 holds for its heap, used or not. */
  readonly reserved: number
  /** Of the process. */
  readonly resident: number
}

export const memoryNow = (): Moment => {
  const { heap, external } = aliveBytes()
  const { heapTotal, rss } = process.memoryUsage()
  return {
    alive: (heap + external) / MEGABYTE,
    heap: heap / MEGABYTE,
    external: external / MEGABYTE,
    reserved: heapTotal / MEGABYTE,
    resident: rss / MEGABYTE,
  }
}

/** What rose from one moment to another, to be read. */
export const rise = (early: Moment, late: Moment): string => {
  const kilobytes = (what: keyof Moment) => figure(1000 * (late[what] - early[what]))
  return `grew by ${kilobytes('external')} kB outside of JavaScript's heap (the engine's memory) and ${kilobytes('heap')} kB inside (V8 still compiles); resident ${figure(early.resident)} to ${figure(late.resident)} MB, of it V8's reserve ${figure(early.reserved)} to ${figure(late.reserved)}`
}

export const MEGABYTE = 1e6
