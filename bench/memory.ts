/** Memory that is alive: JavaScript's heap after a collection, and what lies outside it, among it the WebAssembly memories that no threads share. */
import v8 from 'node:v8'
import vm from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const collect: unknown = vm.runInNewContext('gc')

/** Bytes alive now. */
export const aliveBytes = (): number => {
  if (typeof collect !== 'function') throw new TypeError('this host collects no garbage on demand')
  // What the first collection finalises, the second frees.
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes outside of JavaScript's heap: WebAssembly's memories and host arrays. */
export const externalBytes = (): number => {
  aliveBytes()
  return process.memoryUsage().external
}

export const MEGABYTE = 1e6
