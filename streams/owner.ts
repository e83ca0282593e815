import { Region, tensorsOf } from '../src/tensor/scope.ts'
import type { Tensor } from '../src/tensor/tensor.ts'

/** The tensors of one step's output, and the work done downstream while it is delivered. */
export interface Lease {
  readonly region: Region
  /** Tensors that the state holds too: should the state drop them first, they still live as long as the emission. Most steps have none. */
  lent: Set<Tensor> | null
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
  readonly #state = new Region()
  /** Oldest first. */
  #leases: Lease[] = []
  #busy = 0
  #closed = false

  constructor(keep: number) {
    this.#keep = keep
  }

  /** Makes a state: its tensors live until a step drops them. */
  own<S>(init: () => S): S {
    return this.#guard(() => {
      const region = new Region()
      try {
        const state = region.run(init)
        region.release(tensorsOf(state), this.#state)
        return state
      } finally {
        region.close()
      }
    })
  }

  /**
   * Runs a step, then frees all that neither the new state nor the output holds. `inputs` owns what the step was fed, so that a
   * state may keep an input. After a throw only `close` is left to do.
   */
  step<S, B>(run: () => readonly [B, S], inputs: Owner = this): readonly [output: B, state: S, lease: Lease] {
    return this.#guard(() => {
      const lease = this.#open()
      const [output, state] = lease.region.run(run)
      if (this.#holds() || inputs.#holds()) this.#settle(lease, output, state, inputs)
      return [output, state, lease]
    })
  }

  /** More work on an emission before it is delivered; then only the tensors of `kept(result)` stay. */
  extend<T>({ region }: Lease, work: () => T, kept: (result: T) => unknown): T {
    return this.#guard(() => {
      const result = region.run(work)
      if (region.owns.size > 0) {
        const keep = tensorsOf(kept(result))
        for (const tensor of region.owns) if (!keep.has(tensor)) free(tensor, region)
      }
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
    if (this.#state.owns.size > 0) return true
    for (const { region } of this.#leases) if (region.owns.size > 0) return true
    return false
  }

  #open(): Lease {
    const lease: Lease = { region: new Region(), lent: null }
    this.#leases.push(lease)
    return lease
  }

  #settle(lease: Lease, output: unknown, state: unknown, inputs: Owner): void {
    const { region } = lease
    const { owns } = this.#state
    const kept = tensorsOf(state)
    const out = tensorsOf(output)
    // What a step consumed is dead and needs no owner.
    for (const tensor of owns) if (!tensor.live) owns.delete(tensor)
    region.release(kept, this.#state)
    let held = 0
    for (const tensor of kept) {
      if (!owns.has(tensor)) inputs.#reclaim(tensor, this.#state)
      if (owns.has(tensor)) held++
      if (out.has(tensor)) lend(lease, tensor)
    }
    // Most steps drop nothing alive.
    if (owns.size > held)
      for (const tensor of owns) {
        if (kept.has(tensor)) continue
        const holder = out.has(tensor) ? region : this.#borrower(tensor)
        if (holder) move(tensor, this.#state, holder)
        else free(tensor, this.#state)
      }
    for (const tensor of region.owns) if (!out.has(tensor)) free(tensor, region)
  }

  /** A state took over a tensor that an emission owns. */
  #reclaim(tensor: Tensor, to: Region): void {
    for (const lease of this.#leases)
      if (lease.region.owns.has(tensor)) {
        move(tensor, lease.region, to)
        lend(lease, tensor)
      }
  }

  /** The oldest emission that holds a tensor of the state. */
  #borrower(tensor: Tensor): Region | undefined {
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

const lend = (lease: Lease, tensor: Tensor): void => {
  lease.lent ??= new Set()
  lease.lent.add(tensor)
}

const move = (tensor: Tensor, from: Region, to: Region): void => {
  from.owns.delete(tensor)
  to.owns.add(tensor)
}

const free = (tensor: Tensor, from: Region): void => {
  from.owns.delete(tensor)
  tensor.release()
}
