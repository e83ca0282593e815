/**
 * Splits kernel calls over threads that share one memory; dispatch stays synchronous. The caller takes shares like every worker, then waits
 * for those that were begun: awake for a moment, then asleep, so that a worker which lost its processor gets the caller's.
 * No reduction is ever split, so results do not depend on the number of threads. Workers start at the first work worth it; until they
 * are up the caller works alone.
 */
import { EngineError } from '../../errors.ts'
import { kernelNames } from './binary.generated.ts'
import { startWorker } from './host.ts'
import { Job } from './job.ts'
import type { Loaded } from './kernels.ts'
import type { Memory } from './memory.ts'
import { Pace, WORKER_LOOKS } from './pace.ts'
import { layout as l, work } from './worker.ts'

/** A kernel failed on one of the threads, or a thread does not answer. */
export class ThreadError extends EngineError {
  override readonly name = 'ThreadError'
  override readonly usable: boolean

  constructor(message: string, usable: boolean) {
    super(message)
    this.usable = usable
  }
}

/** Nanoseconds of work that could have been split before workers are started. */
const START_FROM = 1_000_000
/** A share's least nanoseconds, and how many shares a thread at most, the same for each: late threads then cost little. */
const SHARE_FROM = 4_000
const SHARES_A_THREAD = 4
/** Milliseconds of silence after which a worker that holds a share is given up, unless said; and how often what a share should take is added. */
export const PATIENCE = 5_000
const SLOWER = 100
/** Parts of it in which nothing may have come: a process that was stopped and goes on has waited in one of them only. */
const SILENCES = 5
/** Nanoseconds. */
const MILLISECOND = 1e6

export interface ThreadOptions {
  /** The caller's included. */
  readonly threads: number
  /** Nanoseconds of work from which on a kernel is split; 0 splits whatever has two parts and starts workers at once: for tests. */
  readonly splitFrom: number
  /** Milliseconds after which a worker that does not finish its share is given up, beside a hundred times what the share should take: 5,000 unless said. */
  readonly patience: number
}

export class Threads extends Job {
  readonly #memory: Memory
  readonly #loaded: Loaded
  readonly #splitFrom: number
  readonly #leastPatience: number
  readonly #address: number
  readonly #words: Int32Array
  readonly #pace = new Pace()
  readonly #values: number[] = []
  #state: 'idle' | 'started' | 'alone' | 'broken' = 'idle'
  #reason = ''
  #seen = 0
  #looks = 0
  #patience = 0

  constructor(memory: Memory, loaded: Loaded, { threads, splitFrom, patience }: ThreadOptions) {
    const { address } = memory.allocate(l.BYTES)
    super(threads, new Float64Array(memory.wasm.buffer, address + l.JOB, l.NUMBERS))
    this.#memory = memory
    this.#loaded = loaded
    this.#splitFrom = splitFrom
    this.#leastPatience = patience
    this.#address = address
    this.#words = new Int32Array(memory.wasm.buffer, this.#address, l.WORDS).fill(0)
  }

  /** Why kernels run on one thread after all; empty while they do not. */
  get reason(): string {
    return this.#reason
  }

  /** Threads that compute, or will; 0 where nothing can any more. */
  get usable(): number {
    return this.#state === 'alone' ? 1 : this.#state === 'broken' ? 0 : this.count
  }

  /**
   * Whether to split a call of `cost` nanoseconds with `total` equal units of work into shares of a multiple of `grain` units.
   * If so, describe its arguments in order, from `begin` to `run`. `sharesAThread`: how many at most.
   */
  splits(cost: number, total: number, grain: number, sharesAThread = SHARES_A_THREAD): boolean {
    this.expectUsable()
    if (cost < this.#splitFrom || this.#state === 'alone') return false
    const worth = this.#splitFrom === 0 ? sharesAThread : Math.floor(cost / this.count / SHARE_FROM)
    const most = Math.min(l.FRONT - 1, this.count * Math.max(1, Math.min(sharesAThread, worth)))
    if (this.cut(total, Math.max(1, Math.ceil(total / most / grain)) * grain) < 2) return false
    if (this.#state === 'idle') {
      this.#seen += cost
      if ((this.#splitFrom > 0 && this.#seen < START_FROM) || !this.#start()) return false
    }
    const [ready, asleep] = [Atomics.load(this.#words, l.READY), Atomics.load(this.#words, l.SLEEPERS)]
    if (this.#splitFrom > 0 && !this.#pace.pays(cost, ready, asleep)) return false
    const share = cost / this.shares
    this.#looks = this.#pace.looks(share)
    this.#patience = this.#leastPatience + (SLOWER * share) / MILLISECOND
    return true
  }

  /** Runs the described call on all threads and returns when it is done. */
  run(): void {
    const words = this.#words
    const shares = this.shares
    this.finish()
    Atomics.store(words, l.DONE, 0)
    Atomics.store(words, l.LEFT, shares)
    if (Atomics.load(words, l.SLEEPERS) > 0) Atomics.notify(words, l.LEFT)
    const own = work(this.#loaded.list, words, this.numbers, l, 0, this.#values, null)
    const prompt = Atomics.load(words, l.DONE) === shares || this.#await(shares)
    if (this.#splitFrom > 0) this.#pace.learn({ shares, own, threads: this.count, prompt })
    if (Atomics.load(words, l.FAILED) > 0) this.#failed()
  }

  /** Waits for the shares of others, awake and then asleep; whether awake was enough. */
  #await(shares: number): boolean {
    const words = this.#words
    for (let i = 0; i < this.#looks; i++) if (Atomics.load(words, l.DONE) === shares) return true
    Atomics.store(words, l.WAITING, 1)
    let silences = 0
    for (let done = Atomics.load(words, l.DONE); done !== shares; done = Atomics.load(words, l.DONE)) {
      silences = Atomics.wait(words, l.DONE, done, this.#patience / SILENCES) === 'timed-out' ? silences + 1 : 0
      if (silences === SILENCES) this.#giveUp(shares)
    }
    Atomics.store(words, l.WAITING, 0)
    return false
  }

  /** A worker died inside a share, or hangs in it: nobody knows what it has written, or still will. */
  #giveUp(shares: number): void {
    if (Atomics.load(this.#words, l.DONE) === shares) return
    this.#reason = `a worker of the wasm engine has not finished ${this.#kernel()} for ${(this.#patience / 1000).toFixed(1)} s: the engine is not usable any more`
    this.stop()
    this.#state = 'broken'
    this.expectUsable()
  }

  /** Throws where a call can do nothing but fail. */
  expectUsable(): void {
    if (this.#state === 'broken') throw new ThreadError(this.#reason, false)
  }

  #failed(): never {
    const words = this.#words
    const length = Atomics.exchange(words, l.FAILED, 0)
    const text = String.fromCharCode(...words.subarray(l.TEXT, l.TEXT + length))
    const cause = `${this.#kernel()} failed on a thread of the wasm engine: ${text}`
    this.#alone(cause)
    throw new ThreadError(`${cause}; the engine is usable and computes on one thread from now on`, true)
  }

  #kernel(): string {
    return kernelNames[this.numbers[l.KERNEL]]
  }

  /** Starts the workers; whether they could be. */
  #start(): boolean {
    this.#state = 'started'
    const { wasm: memory } = this.#memory
    const { module } = this.#loaded
    const ended = (cause: string): void => this.#alone(`a worker ended: ${cause}`)
    try {
      for (let thread = 1; thread < this.count; thread++)
        startWorker(
          { module, memory, names: kernelNames, layout: l, address: this.#address, thread, looks: WORKER_LOOKS },
          ended,
        )
      return true
    } catch (cause) {
      this.#alone(`a worker could not be started: ${cause}`)
      return false
    }
  }

  #alone(reason: string): void {
    if (this.#state === 'alone' || this.#state === 'broken') return
    this.#reason = reason
    this.stop()
  }

  /** Ends the workers; the caller computes alone from now on. */
  stop(): void {
    if (this.#reason === '') this.#reason = 'the engine was closed'
    if (this.#state !== 'broken') this.#state = 'alone'
    Atomics.store(this.#words, l.LEFT, -1)
    Atomics.notify(this.#words, l.LEFT)
  }

  /** Starts the workers now and waits for them, each time at most `milliseconds`; whether all are up. */
  warm(milliseconds: number): boolean {
    if (this.#state === 'idle') this.#start()
    const wanted = this.count - 1
    let ready = Atomics.load(this.#words, l.READY)
    while (this.#state === 'started' && ready < wanted) {
      if (Atomics.wait(this.#words, l.READY, ready, milliseconds) === 'timed-out') return false
      ready = Atomics.load(this.#words, l.READY)
    }
    return this.#state === 'started'
  }
}
