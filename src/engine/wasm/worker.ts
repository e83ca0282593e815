/**
 * What every thread runs over the control block, and the program of a worker. A kernel call is cut into shares; a thread claims one by
 * narrowing LEFT, so a share that a late worker has not begun is done by another thread. Whoever claimed a share may read the job: it
 * stays until all shares are done. The caller claims from the front, workers from the back: kernels that follow each other find in a
 * thread's cache what it wrote.
 *
 * `work` and `serve` travel to workers as source text: they use nothing from outside themselves and name no function inside.
 */

/** A compiled kernel by position, all its arguments numbers. */
export type Kernel = (...values: number[]) => unknown

/** What a worker is given. */
export interface WorkerData {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly names: readonly string[]
  readonly layout: typeof layout
  /** Of the control block, in bytes. */
  readonly address: number
  /** 1, 2, ...; the caller is thread 0. */
  readonly thread: number
  /** Looks at LEFT before it sleeps. */
  readonly looks: number
}

/** The control block. Words (i32) that threads contend for lie on cache lines of their own. */
export const layout = {
  /** Shares not yet claimed, fewer than FRONT: first * FRONT + the one behind the last; 0: none; -1 ends the workers. */
  LEFT: 0,
  FRONT: 32768,
  /** Shares done. */
  DONE: 16,
  /** Workers that sleep on LEFT. */
  SLEEPERS: 32,
  /** 1 while the caller sleeps on DONE. */
  WAITING: 33,
  /** Workers that have started. */
  READY: 34,
  /** Length of the error's text; 0: no share failed. */
  FAILED: 35,
  TEXT: 48,
  TEXT_LENGTH: 208,
  WORDS: 256,
  /** f64 numbers behind the words: the job. */
  JOB: 1024,
  KERNEL: 0,
  TOTAL: 1,
  CHUNK: 2,
  ARGUMENTS: 3,
  MOVES: 4,
  /** Arguments of the whole call. */
  FIRST: 5,
  /** Four numbers a move: which argument, and what is added to it a unit before the share, a unit in the share, a thread. */
  FIRST_MOVE: 30,
  /** What workers read ahead (ahead.ts); third 0: nothing. */
  AHEAD_LAST: 126,
  AHEAD_STEP: 127,
  AHEAD_THIRD: 128,
  /** Of each third, read between two looks at LEFT. */
  AHEAD_BYTES: 256,
  /** Of the call, and which argument is 1 where the thread has run a share of the same call before; -1: none. */
  SERIAL: 129,
  AGAIN: 130,
  NUMBERS: 131,
  BYTES: 1024 + 131 * 8,
} as const

/**
 * Claims and runs shares until none is left; how many it ran. A share that throws leaves its error's text in the control block. `values` is used
 * again and again; `ahead` takes what a worker may read afterwards: an address, and a third of the bytes from there on.
 */
export function work(
  kernels: readonly Kernel[],
  words: Int32Array,
  job: Float64Array,
  l: typeof layout,
  thread: number,
  values: number[],
  ahead: number[] | null,
): number {
  let ran = 0
  let serial = -1
  for (let left = Atomics.load(words, l.LEFT); left > 0; left = Atomics.load(words, l.LEFT)) {
    const first = Math.floor(left / l.FRONT)
    const last = left % l.FRONT
    const rest = last - first === 1 ? 0 : thread === 0 ? left + l.FRONT : left - 1
    if (Atomics.compareExchange(words, l.LEFT, left, rest) !== left) continue
    ran++
    const start = (thread === 0 ? first : last - 1) * job[l.CHUNK]
    const size = Math.min(job[l.CHUNK], job[l.TOTAL] - start)
    if (ahead !== null) {
      ahead[0] = job[l.AHEAD_LAST] - (thread - 1) * job[l.AHEAD_STEP]
      ahead[1] = job[l.AHEAD_THIRD]
    }
    values.length = job[l.ARGUMENTS]
    for (let i = 0; i < values.length; i++) values[i] = job[l.FIRST + i]
    const end = l.FIRST_MOVE + 4 * job[l.MOVES]
    for (let at = l.FIRST_MOVE; at < end; at += 4)
      values[job[at]] += job[at + 1] * start + job[at + 2] * size + job[at + 3] * thread
    if (job[l.AGAIN] >= 0 && job[l.SERIAL] === serial) values[job[l.AGAIN]] = 1
    serial = job[l.SERIAL]
    try {
      kernels[job[l.KERNEL]](...values)
    } catch (cause) {
      const text = `${cause}`.slice(0, l.TEXT_LENGTH)
      for (let i = 0; i < text.length; i++) words[l.TEXT + i] = text.charCodeAt(i)
      Atomics.store(words, l.FAILED, text.length)
    }
    Atomics.add(words, l.DONE, 1)
    if (Atomics.load(words, l.WAITING) === 1) Atomics.notify(words, l.DONE)
  }
  return ran
}

/** A worker's life: waits for shares, at first awake, then asleep, until LEFT is negative. */
export function serve(data: WorkerData, run: typeof work): void {
  const { module, memory, names, layout: l, address, thread, looks } = data
  const exports: object = new WebAssembly.Instance(module, { env: { memory } }).exports
  const kernels: Kernel[] = []
  for (const name of names) kernels.push(Reflect.get(exports, name))
  const words = new Int32Array(memory.buffer, address, l.WORDS)
  const job = new Float64Array(memory.buffer, address + l.JOB, l.NUMBERS)
  const readAhead = kernels[names.indexOf('readAhead')]
  const values: number[] = []
  const ahead = [0, 0]
  Atomics.add(words, l.READY, 1)
  Atomics.notify(words, l.READY)
  for (;;) {
    let left = Atomics.load(words, l.LEFT)
    for (let i = 0; left === 0 && i < looks; i++) left = Atomics.load(words, l.LEFT)
    if (left > 0) {
      ahead[1] = 0
      run(kernels, words, job, l, thread, values, ahead)
      const last = ahead[0] + ahead[1] - l.AHEAD_BYTES
      for (let at = ahead[0]; at <= last && Atomics.load(words, l.LEFT) === 0; at += l.AHEAD_BYTES)
        readAhead(at, ahead[1], l.AHEAD_BYTES)
    } else if (left < 0) return
    else {
      Atomics.add(words, l.SLEEPERS, 1)
      Atomics.wait(words, l.LEFT, 0)
      Atomics.sub(words, l.SLEEPERS, 1)
    }
  }
}

/** The program of a worker: `start` calls `serve(data, work)`, whatever a bundler has made of these names. */
export const workerSource = (start: string): string => `const work = ${work}\nconst serve = ${serve}\n${start}`
