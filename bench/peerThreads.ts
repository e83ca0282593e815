/** Measurements beside a peer that may run on one thread or on two. */
import { alternate, median, type Pairs } from './measure.ts'
import { figure } from './results.ts'

export interface Fastest extends Pairs {
  /** The peer's medians with one thread and with two, to be read. */
  readonly note: string
}

/** A B A B … with one thread of the peer, then with two, which `load` sets: the pairs of that on which the peer is faster. */
export const besideFastest = async (
  pairs: number,
  load: (threads: number) => Promise<unknown>,
  ours: () => number | Promise<number>,
  theirs: () => number | Promise<number>,
  warmUp = 1,
): Promise<Fastest> => {
  const at = async (threads: number): Promise<Pairs> => {
    await load(threads)
    return alternate(pairs, ours, theirs, warmUp)
  }
  const [one, two] = [await at(1), await at(2)]
  const note = `${figure(median(one.theirs))} ms on one thread, ${figure(median(two.theirs))} on two`
  return { ...(median(one.theirs) <= median(two.theirs) ? one : two), note }
}
