import { InputError } from '../src/errors.ts'
import { type Owned, Region } from '../src/tensor/region.ts'
import { eachTensor } from '../src/tensor/scope.ts'

/** The tensors of one step's output, and the work done downstream while it is delivered. */
export interface Lease {
  readonly region: Region
  /** Tensors that the state holds too: should the state drop them first, they still live as long as the emission. Most steps have none. */
  lent: Set<Owned> | null
}

/**
 * Who frees what in a driver (design, section 5): a machine's state until teardown, an emission until the `keep`-th later one was
 * delivered. Law S15: after `close`, nothing made under it is left.
 *
 * Only tensors made under the driver are its own: a parameter made elsewhere is never freed, and a machine that keeps an input
 * tensor in its state must `share()` it, because the input belongs to whoever emitted it.
 */
export class Owner {
  readonly #keep: number
  #state = new Region()
  /** Oldest first. */
  #leases: Lease[] = []
  #busy = 0
  #closed = false

  constructor(keep: number) {
    if (!(keep >= 0)) throw new InputError(`keep: expected a number of emissions >= 0, found ${keep}`)
    this.#keep = keep
  }

  /** Makes a state: its tensors live until a step drops them. */
  own<S>(init: () => S): S {
    return this.#guard(() => {
      const made = new Region()
      try {
        const state = made.run(init)
        keep(state, made, this.#state)
        return state
      } finally {
        made.close()
      }
    })
  }

  /**
   * Runs a step, then frees all that neither the new state nor the output holds. `inputs` owns what the step was fed, so that a
   * state may keep an input. After a throw only `close` is left to do.
   */
  step<S, B>(run: () => readonly [B, S], inputs: Owner = this): readonly [output: B, state: S, lease: Lease] {
    return this.#guard(() => {
      const made = new Region()
      try {
        const [output, state] = made.run(run)
        const lease = this.#open()
        if (!made.empty || this.#holds() || inputs.#holds()) this.#settle(made, lease, output, state, inputs)
        return [output, state, lease]
      } finally {
        made.close()
      }
    })
  }

  /** More work on an emission before it is delivered; then only the tensors of `kept(result)` stay. */
  extend<T>({ region }: Lease, work: () => T, kept: (result: T) => unknown): T {
    return this.#guard(() => {
      const result = region.run(work)
      if (region.empty) return result
      const stay = new Region()
      keep(kept(result), region, stay)
      region.close()
      for (const tensor of stay) region.take(tensor)
      return result
    })
  }

  /** What downstream makes synchronously belongs to the emission; then those older than `keep` are freed. */
  deliver(lease: Lease, send: () => void): void {
    this.#guard(() => {
      try {
        lease.region.run(send)
      } finally {
        const index = this.#leases.indexOf(lease)
        // A delivery inside this one may have freed it already: then what downstream made since has no other owner.
        if (index < 0) lease.region.close()
        else for (let count = index + 1 - this.#keep; count > 0; count--) this.#leases.shift()?.region.close()
      }
    })
  }

  /** Completion lets downstream flush (`bufferCount`, `reduce`), which may compute: that is owned as well. */
  finish(send: () => void): void {
    this.#guard(() => this.#open().region.run(send))
  }

  /** Frees an emission that nobody will get. */
  discard(lease: Lease): void {
    const index = this.#leases.indexOf(lease)
    if (index >= 0) this.#leases.splice(index, 1)
    lease.region.close()
  }

  /** Frees everything, at once or when the step or delivery in progress has returned. */
  close(): void {
    this.#closed = true
    if (this.#busy > 0) return
    for (const { region } of this.#leases) region.close()
    this.#leases = []
    this.#state.close()
  }

  /** Whether there are tensors at all: looking for them in plain values would cost more than the step. */
  #holds(): boolean {
    if (!this.#state.empty) return true
    for (const { region } of this.#leases) if (!region.empty) return true
    return false
  }

  #open(): Lease {
    const lease: Lease = { region: new Region(), lent: null }
    this.#leases.push(lease)
    return lease
  }

  /** Of what the step made and the old state held, the new state and the output keep what they name; the rest is freed. */
  #settle(made: Region, lease: Lease, output: unknown, state: unknown, inputs: Owner): void {
    const before = this.#state
    const after = new Region()
    eachTensor(state, tensor => {
      const { owner } = tensor
      if (owner === made || owner === before) after.take(tensor)
      else if (owner !== null && owner !== after) inputs.#reclaim(tensor, owner, after)
    })
    eachTensor(output, tensor => {
      if (tensor.owner === after) lend(lease, tensor)
      else if (tensor.owner === made || tensor.owner === before) lease.region.take(tensor)
    })
    for (const tensor of before) this.#borrower(tensor)?.take(tensor)
    before.close()
    this.#state = after
  }

  /** A state took over a tensor that an emission owns. */
  #reclaim(tensor: Owned, owner: Region, to: Region): void {
    const lease = this.#leases.find(({ region }) => region === owner)
    if (lease === undefined) return
    to.take(tensor)
    lend(lease, tensor)
  }

  /** The oldest emission that holds a tensor of the state. */
  #borrower(tensor: Owned): Region | undefined {
    return this.#leases.find(({ lent }) => lent?.has(tensor))?.region
  }

  #guard<T>(work: () => T): T {
    this.#busy++
    try {
      return work()
    } finally {
      if (--this.#busy === 0 && this.#closed) this.close()
    }
  }
}

/** Moves the tensors reachable from a value from one region to another. */
const keep = (value: unknown, from: Region, to: Region): void =>
  eachTensor(value, tensor => {
    if (tensor.owner === from) to.take(tensor)
  })

const lend = (lease: Lease, tensor: Owned): void => {
  lease.lent ??= new Set()
  lease.lent.add(tensor)
}
