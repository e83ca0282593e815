import { type Observable, Subject } from 'rxjs'
import type { Tap } from '../src/context.ts'
import type { Tensor } from '../src/tensor/tensor.ts'

export interface Tapped {
  /** The path: `h.0.attn.weights`. */
  readonly name: string
  /** Lives only while it is delivered: read it there. */
  readonly value: Tensor
}

export interface Taps {
  /** For a context, asked for at each step: null while nobody watches, so that an unwatched model takes its fused path. */
  readonly tap: Tap | null
  /** What the taps show, hot; never completes. */
  readonly tapped$: Observable<Tapped>
}

/** Values on their way through operators (attention weights, logits, activations, gradients), as an observable. */
export const taps = (): Taps => {
  const subject = new Subject<Tapped>()
  const tap: Tap = (name, value) => subject.next({ name, value })
  return {
    get tap() {
      return subject.observed ? tap : null
    },
    tapped$: subject.asObservable(),
  }
}
