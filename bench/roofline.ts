/**
 * What this machine can do at most in WebAssembly, all threads at once: f32 multiply-adds from registers (with separate multiply and add, and
 * fused where the host has relaxed SIMD), and bytes read from memory that no cache holds, each thread its own part of it.
 */
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import binaryen from 'binaryen'

const LANES = 4
/** Enough independent chains to hide the latency of a multiply and an add, few enough for 16 registers. */
const CHAINS = 12
const STEPS = 4_000_000
const READ_BYTES = 512 * 2 ** 20
/** How many places of its part a thread reads in turn: the best of them counts, since processors prefetch differently. */
const STREAMS = [1, 2, 4] as const
const LOADS = 8
const PAGE = 65_536
const PAGES = READ_BYTES / PAGE + 1
const WARM_CALLS = 20_000
const WARM_STEPS = 4096
const COMPILE_MILLISECONDS = 100
/** Memory gives half its rate for seconds, on some hosts, so measurements are spread over rounds with rests between them, and rows ask before and after. */
const [ROUNDS, RUNS, REST] = [8, 5, 50] as const
/** Words of the first page: a call's number, threads done with it, threads ready, the module, its function, its argument, and how often. */
const [CALL, DONE, READY, MODULE, FUNCTION, ARGUMENT, TIMES, WORDS] = [0, 16, 32, 33, 34, 35, 36, 64] as const

const times = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i)).join(' ')

const sum = (count: number, name: string) =>
  Array.from({ length: count }, (_, i) => `(local.get $${name}${i})`).reduce((a, b) => `(f32x4.add ${a} ${b})`)

/** Thread t reads `bytes` behind t times as many, in `streams` turns of a cache line or two. */
const read = (streams: number) => {
  const each = LOADS / streams
  const load = (i: number) =>
    `(v128.load offset=${16 * (i % each)} (i32.add (local.get $at) (i32.mul (local.get $part) (i32.const ${Math.floor(i / each)}))))`
  return `(func (export "read${streams}") (param $thread i32) (param $bytes i32) (result f32)
    (local $at i32) (local $end i32) (local $part i32) ${times(LOADS, i => `(local $s${i} v128)`)}
    (local.set $part (i32.div_u (local.get $bytes) (i32.const ${streams})))
    (local.set $at (i32.add (i32.const ${PAGE}) (i32.mul (local.get $thread) (local.get $bytes))))
    (local.set $end (i32.add (local.get $at) (local.get $part)))
    (loop $next
      ${times(LOADS, i => `(local.set $s${i} (f32x4.add (local.get $s${i}) ${load(i)}))`)}
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const ${16 * each}))) (local.get $end))))
    (f32x4.extract_lane 0 ${sum(LOADS, 's')}))`
}

const source = (multiplyAdd: (sum: string) => string) => `(module
  (import "env" "memory" (memory ${PAGES} ${PAGES} shared))
  (func (export "compute") (param $thread i32) (param $n i32) (result f32)
    ${times(CHAINS, i => `(local $a${i} v128)`)}
    (local $x v128) (local $scale v128)
    (local.set $x (f32x4.splat (f32.const 0.5)))
    (local.set $scale (f32x4.splat (f32.const 0.25)))
    (loop $next
      ${times(CHAINS, i => `(local.set $a${i} ${multiplyAdd(`(local.get $a${i})`)})`)}
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (f32x4.extract_lane 0 ${sum(CHAINS, 'a')}))
  ${STREAMS.map(read).join('\n')})`

const separate = source(sum => `(f32x4.add (f32x4.mul ${sum} (local.get $scale)) (local.get $x))`)
const fused = source(sum => `(f32x4.relaxed_madd ${sum} (local.get $scale) (local.get $x))`)

const compiled = (text: string): WebAssembly.Module | null => {
  const parsed = binaryen.parseText(text)
  parsed.setFeatures(binaryen.Features.All)
  const binary = new Uint8Array(parsed.emitBinary())
  parsed.dispose()
  return WebAssembly.validate(binary) ? new WebAssembly.Module(binary) : null
}

/** A thread's program: it stays awake, so that all begin at once. */
const thread = `
const { modules, memory, thread } = process.getBuiltinModule('node:worker_threads').workerData
const words = new Int32Array(memory.buffer, 0, ${WORDS})
const exports = modules.map(module => Object.values(new WebAssembly.Instance(module, { env: { memory } }).exports))
let call = Atomics.load(words, ${CALL})
Atomics.add(words, ${READY}, 1)
for (;;) {
  while (Atomics.load(words, ${CALL}) === call);
  call++
  const run = exports[words[${MODULE}]][words[${FUNCTION}]]
  for (let i = 0; i < words[${TIMES}]; i++) run(thread, words[${ARGUMENT}])
  Atomics.add(words, ${DONE}, 1)
}`

export interface Roofline {
  readonly threads: number
  /** GFLOP/s of f32x4 multiply, then add. */
  readonly multiplyAdd: number
  /** GFLOP/s of fused multiply-add; null without relaxed SIMD. */
  readonly fused: number | null
  /** GB/s read. */
  readonly read: number
}

/** Runs of one thread's measurement: about as long as one of a row. */
const LONG = 10

/** GFLOP/s of one thread's multiply-adds from registers now, fused or not, for rows that hold themselves against it in turn; null without relaxed SIMD. */
export const multiplyAddNow = async (fusing: boolean): Promise<(() => number) | null> => {
  const module = compiled(fusing ? fused : separate)
  if (module === null) return null
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true })
  const { compute } = new WebAssembly.Instance(module, { env: { memory } }).exports
  if (typeof compute !== 'function') throw new TypeError('the roofline module exports no compute')
  for (let i = 0; i < WARM_CALLS; i++) compute(0, WARM_STEPS)
  await setTimeout(COMPILE_MILLISECONDS)
  return () => {
    const start = performance.now()
    for (let i = 0; i < LONG; i++) compute(0, STEPS)
    return (LONG * 2 * LANES * CHAINS * STEPS) / (performance.now() - start) / 1e6
  }
}

/** Of so many threads together, of which the caller is one: the best of this measurement and one before. */
export const roofline = async (threads = 1, before: Roofline | null = null): Promise<Roofline> => {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true })
  const words = new Int32Array(memory.buffer, 0, WORDS)
  // Pages never written are all the same page of zeros, which a cache holds.
  new Float32Array(memory.buffer, PAGE).fill(1)
  const [plain, relaxed] = [compiled(separate), compiled(fused)]
  if (plain === null) throw new Error('this host has no WebAssembly SIMD')
  const modules = relaxed === null ? [plain] : [plain, relaxed]
  const exports = modules.map(module => Object.entries(new WebAssembly.Instance(module, { env: { memory } }).exports))
  const workers = Array.from(
    { length: threads - 1 },
    (_, i) => new Worker(thread, { eval: true, execArgv: [], workerData: { modules, memory, thread: i + 1 } }),
  )
  while (Atomics.load(words, READY) < threads - 1) await setTimeout(1)
  /** Seconds from the call to the last thread's end: less than one thread's for the whole only where threads run at once. */
  const work = (module: number, name: string, argument: number) => {
    const position = exports[module]?.findIndex(([found]) => found === name) ?? -1
    const own = exports[module]?.[position]?.[1]
    if (typeof own !== 'function') throw new TypeError(`the roofline module exports no ${name}`)
    return (size = argument, times = 1): number => {
      words.set([module, position, size, times], MODULE)
      Atomics.store(words, DONE, 0)
      const start = performance.now()
      Atomics.add(words, CALL, 1)
      for (let i = 0; i < times; i++) own(0, size)
      while (Atomics.load(words, DONE) < threads - 1);
      return (performance.now() - start) / 1000
    }
  }
  const reads = STREAMS.map(streams => work(0, `read${streams}`, READ_BYTES / threads))
  const computes = modules.map((_, module) => work(module, 'compute', STEPS))
  try {
    // The host's optimising compiler replaces a function's first code between calls alone.
    for (const run of [...reads, ...computes]) {
      run(WARM_STEPS, WARM_CALLS)
      await setTimeout(COMPILE_MILLISECONDS)
      run()
    }
    let found: Roofline = before ?? { threads, multiplyAdd: 0, fused: relaxed === null ? null : 0, read: 0 }
    const gigaflops = (run: () => number) => (threads * 2 * LANES * CHAINS * STEPS) / run() / 1e9
    for (let i = 0; i < ROUNDS * RUNS; i++) {
      if (i % RUNS === 0) await setTimeout(REST)
      const [multiplyAdd = 0, fused = 0] = computes.map(gigaflops)
      found = {
        threads,
        multiplyAdd: Math.max(found.multiplyAdd, multiplyAdd),
        fused: found.fused === null ? null : Math.max(found.fused, fused),
        read: Math.max(found.read, ...reads.map(run => READ_BYTES / run() / 1e9)),
      }
    }
    return found
  } finally {
    for (const worker of workers) await worker.terminate()
  }
}
