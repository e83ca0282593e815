/** A row measures one figure that the project claims, beside the peer it is claimed against. One row a file of `rows/`, named as the file. */
import type { Peer } from './peer.ts'

/** What to reach: `value` or `ratio` against a number. */
export type Target = `${'value' | 'ratio'} ${'>=' | '<='} ${number}`

export interface Row {
  /** The file's name without its ending, and the `name` in results.json. */
  readonly name: string
  /** What is measured, in a few words, for RESULTS.md. */
  readonly title: string
  /** Unit of `value` and `peerValue`. */
  readonly unit: string
  readonly target: Target
  /** Whom we measure against, with its version where the row knows it beforehand. */
  readonly peer: string
  run(tools: Tools): Promise<Measured>
}

export interface Measured {
  readonly value: number
  /** null where the peer is absent on this machine: say why in `note`. */
  readonly peerValue: number | null
  /** Greater than 1 means ours is better; null without a peer. `lowerIsBetter` and `higherIsBetter` compute it. */
  readonly ratio: number | null
  readonly threads: number
  /** Measurements behind `value`, whose median it is. */
  readonly runs: number
  /** One line: versions, single runs, cold times, why a peer is absent. */
  readonly note?: string
  /** Further figures of the same run, by name. */
  readonly details?: Readonly<Record<string, number | string | readonly number[]>>
  /** Why this run proves that the row works and measures nothing: it is printed with the reason and not recorded. */
  readonly trial?: string
}

/** A line of results.json. */
export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly target: Target
  readonly peer: string
  readonly peerValue: number | null
  readonly ratio: number | null
  readonly threads: number
  readonly runs: number
  readonly command: string
  readonly commit: string
  readonly date: string
  readonly reached: boolean
  readonly title: string
  readonly machine: string
  readonly note: string
  readonly details: Readonly<Record<string, number | string | readonly number[]>>
}

export interface Tools {
  /** A B pairs to alternate: at least 5. */
  readonly pairs: number
  /** Measure anew the peer figures that take minutes and are otherwise recorded. */
  readonly remeasurePeers: boolean
  /** A folder for what peers exchange: weights, exported models. */
  readonly cache: string
  /** A real corpus, checkpoint or vocabulary, for instance `data/corpora/tinyshakespeare.txt`; throws `Absent` where there is none. */
  shared(path: string): string
  /** Starts `peers/<script>`; throws `Absent` with the reason where the interpreter or a package is missing. Stopped after the row. */
  python(script: string, ...args: string[]): Promise<Peer>
  node(script: string, ...args: string[]): Promise<Peer>
  /** A progress line, to stderr. */
  say(line: string): void
}

/** Something that this machine does not have. A row catches it for a peer, and lets it pass for its own data. */
export class Absent extends Error {}

/** The result of `start`, or the reason why the peer is absent. */
export const orReason = async <T>(start: Promise<T>): Promise<T | string> => {
  try {
    return await start
  } catch (error) {
    if (error instanceof Absent) return error.message
    throw error
  }
}

/** Whether a row's figures meet its target; without a peer a ratio meets nothing. */
export const reached = (target: Target, value: number, ratio: number | null): boolean => {
  const [what, order, limit] = target.split(' ')
  const figure = what === 'value' ? value : ratio
  if (figure === null) return false
  return order === '<=' ? figure <= Number(limit) : figure >= Number(limit)
}

/** Times, losses, bytes. */
export const lowerIsBetter = (value: number, peerValue: number | null): number | null =>
  peerValue === null ? null : peerValue / value

/** Throughputs. */
export const higherIsBetter = (value: number, peerValue: number | null): number | null =>
  peerValue === null ? null : value / peerValue
