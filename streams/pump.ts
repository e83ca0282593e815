import type { Unsubscribable } from 'rxjs'
import type { MacrotaskScheduler } from './macrotask.ts'

/**
 * Runs a stream's turns in a flat loop (law S9) and gives the event loop back after at most `slice` milliseconds.
 * The slice is shared by every pump of a scheduler, turn about: a thousand streams starve a timer no more than one does.
 */
export class Pump {
  readonly #turn: () => boolean
  readonly #turns: Turns
  #started = false
  #running = false

  /** `turn` does one step and answers true, or answers false when it can do nothing until it is woken. It never throws. */
  constructor(turn: () => boolean, scheduler: MacrotaskScheduler) {
    this.#turn = turn
    this.#turns = turnsOf(scheduler)
  }

  /**
   * There may be something to do. The first turn waits for a macrotask, so that `subscribe` returns before any value (law S16);
   * later ones run at once while the slice lasts.
   */
  wake(): void {
    if (this.#running || this.#turns.has(this)) return
    if (this.#started) while (this.#turns.open) if (!this.step()) return
    this.#started = true
    this.#turns.add(this)
  }

  /** One turn; false when there was nothing to do. */
  step(): boolean {
    this.#running = true
    try {
      return this.#turn()
    } finally {
      this.#running = false
    }
  }

  stop(): void {
    this.#turns.delete(this)
  }
}

/** The pumps of one scheduler that have something to do, first come first served. */
class Turns {
  readonly #scheduler: MacrotaskScheduler
  readonly #slice: number
  readonly #ready = new Set<Pump>()
  #since = Number.NEGATIVE_INFINITY
  #running = false
  #next: Unsubscribable | null = null

  constructor(scheduler: MacrotaskScheduler) {
    this.#scheduler = scheduler
    this.#slice = scheduler.slice ?? 8
  }

  /** Whether the last macrotask we were given has time left; false whenever the event loop may have been held too long. */
  get open(): boolean {
    return this.#scheduler.now() - this.#since < this.#slice
  }

  has(pump: Pump): boolean {
    return this.#ready.has(pump)
  }

  add(pump: Pump): void {
    this.#ready.add(pump)
    this.#schedule()
  }

  delete(pump: Pump): void {
    this.#ready.delete(pump)
    if (this.#ready.size > 0) return
    this.#next?.unsubscribe()
    this.#next = null
  }

  #schedule(): void {
    if (!this.#running && this.#ready.size > 0) this.#next ??= this.#scheduler.schedule(() => this.#run())
  }

  #run(): void {
    this.#next = null
    this.#running = true
    this.#since = this.#scheduler.now()
    try {
      // A set yields what is added while it is walked: deleting and adding again is round robin.
      for (const pump of this.#ready) {
        this.#ready.delete(pump)
        if (pump.step()) this.#ready.add(pump)
        if (!this.open) break
      }
    } finally {
      this.#running = false
      this.#schedule()
    }
  }
}

const all = new WeakMap<MacrotaskScheduler, Turns>()

const turnsOf = (scheduler: MacrotaskScheduler): Turns => {
  const known = all.get(scheduler)
  if (known) return known
  const turns = new Turns(scheduler)
  all.set(scheduler, turns)
  return turns
}
