/**
 * What one thread of this machine can do at most in WebAssembly: f32 multiply-adds from registers (with separate multiply and add, and fused
 * where the host has relaxed SIMD), and bytes read from memory that no cache holds.
 */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import binaryen from 'binaryen'
import { median } from './measure.ts'

const LANES = 4
/** Enough independent chains to hide the latency of a multiply and an add, few enough for 16 registers. */
const CHAINS = 12
const READ_BYTES = 256 * 2 ** 20
const WARM_CALLS = 20_000
const WARM_ARGUMENT = 4096
const COMPILE_MILLISECONDS = 100

const times = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n')

const source = (multiplyAdd: (sum: string) => string) => `(module
  (memory (export "memory") ${READ_BYTES / 65536})
  (func (export "compute") (param $n i32) (result f32)
    ${times(CHAINS, i => `(local $a${i} v128)`)}
    (local $x v128) (local $scale v128)
    (local.set $x (f32x4.splat (f32.const 0.5)))
    (local.set $scale (f32x4.splat (f32.const 0.25)))
    (loop $next
      ${times(CHAINS, i => `(local.set $a${i} ${multiplyAdd(`(local.get $a${i})`)})`)}
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (f32x4.extract_lane 0 ${Array.from({ length: CHAINS }, (_, i) => `(local.get $a${i})`).reduce((a, b) => `(f32x4.add ${a} ${b})`)}))
  (func (export "read") (param $bytes i32) (result f32)
    (local $at i32) ${times(8, i => `(local $s${i} v128)`)}
    (loop $next
      ${times(8, i => `(local.set $s${i} (f32x4.add (local.get $s${i}) (v128.load offset=${16 * i} (local.get $at))))`)}
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 128))) (local.get $bytes))))
    (f32x4.extract_lane 0 ${Array.from({ length: 8 }, (_, i) => `(local.get $s${i})`).reduce((a, b) => `(f32x4.add ${a} ${b})`)})))`

const separate = source(sum => `(f32x4.add (f32x4.mul ${sum} (local.get $scale)) (local.get $x))`)
const fused = source(sum => `(f32x4.relaxed_madd ${sum} (local.get $scale) (local.get $x))`)

const compiled = (text: string): WebAssembly.Module | null => {
  const parsed = binaryen.parseText(text)
  parsed.setFeatures(binaryen.Features.All)
  const binary = new Uint8Array(parsed.emitBinary())
  parsed.dispose()
  return WebAssembly.validate(binary) ? new WebAssembly.Module(binary) : null
}

const instantiate = (text: string): WebAssembly.Exports | null => {
  const module = compiled(text)
  return module === null ? null : new WebAssembly.Instance(module).exports
}

/** Seconds, the median of 7, after short calls until the host's optimising compiler has replaced its first code: a loop is not replaced while it runs. */
const seconds = async (exports: WebAssembly.Exports, name: string, argument: number): Promise<number> => {
  const run = exports[name]
  if (typeof run !== 'function') throw new TypeError(`the roofline module exports no ${name}`)
  for (let i = 0; i < WARM_CALLS; i++) run(WARM_ARGUMENT)
  await setTimeout(COMPILE_MILLISECONDS)
  run(argument)
  const measured = Array.from({ length: 7 }, () => {
    const start = performance.now()
    run(argument)
    return (performance.now() - start) / 1000
  })
  return median(measured)
}

export interface Roofline {
  /** GFLOP/s of f32x4 multiply, then add. */
  readonly multiplyAdd: number
  /** GFLOP/s of fused multiply-add; null without relaxed SIMD. */
  readonly fused: number | null
  /** GB/s read. */
  readonly read: number
}

export const roofline = async (): Promise<Roofline> => {
  const steps = 4_000_000
  const gigaflops = async (exports: WebAssembly.Exports) =>
    (2 * LANES * CHAINS * steps) / (await seconds(exports, 'compute', steps)) / 1e9
  const plain = instantiate(separate)
  const relaxed = instantiate(fused)
  if (plain === null) throw new Error('this host has no WebAssembly SIMD')
  const { memory } = plain
  // Pages never written are all the same page of zeros, which a cache holds.
  if (memory instanceof WebAssembly.Memory) new Float32Array(memory.buffer).fill(1)
  return {
    multiplyAdd: await gigaflops(plain),
    fused: relaxed === null ? null : await gigaflops(relaxed),
    read: READ_BYTES / (await seconds(plain, 'read', READ_BYTES)) / 1e9,
  }
}

/** Reads its own memory as often as it is told to; says so before and after. */
const READER = `
const { parentPort, workerData: { module, bytes, warmCalls, warmArgument } } = require('node:worker_threads')
const { read, memory } = new WebAssembly.Instance(module).exports
new Float32Array(memory.buffer).fill(1)
for (let i = 0; i < warmCalls; i++) read(warmArgument)
parentPort.on('message', times => {
  for (let i = 0; i < times; i++) read(bytes)
  parentPort.postMessage(null)
})
parentPort.postMessage(null)`

const READS = 8

/** GB/s that so many threads read together, each from memory of its own that no cache holds: the best of 5. */
export const readTogether = async (threads: number): Promise<number> => {
  const module = compiled(separate)
  if (module === null) throw new Error('this host has no WebAssembly SIMD')
  const workerData = { module, bytes: READ_BYTES, warmCalls: WARM_CALLS, warmArgument: WARM_ARGUMENT }
  const readers = Array.from({ length: threads }, () => new Worker(READER, { eval: true, workerData }))
  const all = () => Promise.all(readers.map(reader => once(reader, 'message')))
  try {
    await all()
    await setTimeout(COMPILE_MILLISECONDS)
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i < 5; i++) {
      const start = performance.now()
      const done = all()
      for (const reader of readers) reader.postMessage(READS)
      await done
      best = Math.min(best, performance.now() - start)
    }
    return (threads * READS * READ_BYTES) / best / 1e6
  } finally {
    await Promise.all(readers.map(reader => reader.terminate()))
  }
}
