/**
 * Memory belongs to regions. Every tensor joins the innermost open region; closing a region frees what it still owns.
 * The stack is synchronous: a region never stays open across an await.
 */
let current: Region | null = null

/** Something with at most one owner. The links are its region's: nobody else touches them. */
export abstract class Owned {
  owner: Region | null = null
  before: Owned | null = null
  after: Owned | null = null

  /** Leaves its region, then frees what it holds; a second time does nothing. */
  abstract release(): void
}

/** What one owner holds: a scope, a driver's state, or one emission of a stream. A list, oldest first; every change takes constant time. */
export class Region {
  #first: Owned | null = null
  #last: Owned | null = null

  get empty(): boolean {
    return this.#first === null
  }

  /** Runs `body` with this region innermost. */
  run<T>(body: () => T): T {
    const outer = current
    current = this
    try {
      return body()
    } finally {
      current = outer
    }
  }

  /** Becomes the owner, whoever was it. */
  take(owned: Owned): void {
    leave(owned)
    owned.owner = this
    owned.before = this.#last
    if (this.#last === null) this.#first = owned
    else this.#last.after = owned
    this.#last = owned
  }

  /** No longer owns it. */
  drop(owned: Owned): void {
    const { before, after } = owned
    if (before === null) this.#first = after
    else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    owned.owner = null
    owned.before = null
    owned.after = null
  }

  /** What it owns, oldest first. An item may leave while it is visited. */
  *[Symbol.iterator](): Generator<Owned> {
    for (let owned = this.#first, next: Owned | null; owned !== null; owned = next) {
      next = owned.after
      yield owned
    }
  }

  /** Frees everything it owns. */
  close(): void {
    while (this.#first !== null) this.#first.release()
  }
}

/** The innermost open region. */
export const innermost = (): Region | null => current

/** Nobody owns it any more: who holds it frees it. */
export const leave = (owned: Owned): void => {
  owned.owner?.drop(owned)
}
