/**
 * Whether splitting a kernel pays, learned from the calls before: without a clock, from who ran the shares. Where another process holds a
 * processor, threads are late or take the caller's own; then calls run on one thread for a while, and longer each time.
 */

/** Nanoseconds of one thread's work from which on a kernel is split. */
export const SPLIT_FROM = 8_000
/** Nanoseconds of work, of one call or several, that are worth waking a worker for, which takes about 10,000. */
const WAKE_FROM = 40_000
/** A look at a word takes about so many nanoseconds. */
const LOOK = 4
/** Looks of an idle worker before it sleeps: what lies between two kernels is mostly shorter. */
export const WORKER_LOOKS = 100_000
/** The caller waits awake for the cost of so many shares, between these nanoseconds. */
const PATIENCE = { shares: 4, least: 20_000, most: 1_000_000 }
/**
 * Nanoseconds of work on one thread after a call that went badly; twice as many each time, some less after each that went well. Fewer at most where
 * workers took the caller's processor: that cost little, and the host soon moves them.
 */
const RETREAT = { least: 100_000, most: 100_000_000, crowded: 5_000_000, decay: 0.85 }

/** How a split call went. */
export interface Outcome {
  /** Shares in all, and those that the caller ran. */
  readonly shares: number
  readonly own: number
  /** Threads, the caller's included. */
  readonly threads: number
  /** The caller did not have to sleep. */
  readonly prompt: boolean
}

export class Pace {
  /** Work left to do on one thread. */
  #alone = 0
  /** Work done since workers sleep. */
  #slept = 0
  #retreat = RETREAT.least
  /** Shares so short that waiting asleep for one means that it lost its processor. */
  #short = true

  /** Whether to split a call of `cost` nanoseconds over `ready` workers, `asleep` of which sleep. */
  pays(cost: number, ready: number, asleep: number): boolean {
    if (ready === 0) return false
    if (this.#alone > 0) {
      this.#alone -= cost
      return false
    }
    this.#slept += cost
    if (asleep === ready && this.#slept < WAKE_FROM) return false
    this.#slept = 0
    return true
  }

  /** Looks that the caller waits for shares of so many nanoseconds. */
  looks(share: number): number {
    const patience = PATIENCE.least + PATIENCE.shares * share
    this.#short = patience < PATIENCE.most
    return Math.min(PATIENCE.most, patience) / LOOK
  }

  /** Takes note of the call for which `pays` answered yes. */
  learn({ shares, own, threads, prompt }: Outcome): void {
    // Without help the caller lost nothing: a thread of the host's had the processor for a moment, or the worker is still waking.
    if (own === shares) return
    const late = !prompt && this.#short
    // Workers that run nearly all sit on the caller's processor.
    const crowded = 2 * threads * own < shares
    if (late || crowded) {
      this.#alone = late ? this.#retreat : Math.min(this.#retreat, RETREAT.crowded)
      this.#retreat = Math.min(RETREAT.most, this.#retreat * 2)
    } else this.#retreat = Math.max(RETREAT.least, this.#retreat * RETREAT.decay)
  }
}
