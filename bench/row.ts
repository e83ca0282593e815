/** A row measures one figure that the project claims, beside the peer it is claimed against. One row a file of `rows/`, named as the file. */
import type { Peer } from './peer.ts'

export type Bound = `${'>=' | '<='} ${number}`

/** What to reach: `value` or `ratio` against a number. */
export type Target = `${'value' | 'ratio'} ${Bound}`

/** A further figure that a row has to reach, and what it was; null where the run could not measure it, which reaches nothing. */
export interface Further {
  readonly what: string
  readonly target: Bound
  readonly value: number | null
}

export interface Row {
  /** The file's name without its ending, and the `name` in results.json. */
  readonly name: string
  /** What is measured, in a few words, for RESULTS.md. */
  readonly title: string
  /** Unit of `value` and `peerValue`. */
  readonly unit: string
  readonly target: Target
  /** What else has to be reached, by the names of the figures in `Measured.further`. */
  readonly further?: Readonly<Record<string, Bound>>
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
  /** The figures that `Row.further` asks for. */
  readonly further?: Readonly<Record<string, number | null>>
  /** Measurements behind `value`: their median, where the row does not say otherwise. */
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
  readonly further: readonly Further[]
  readonly peer: string
  readonly peerValue: number | null
  readonly ratio: number | null
  readonly threads: number
  readonly runs: number
  readonly command: string
  readonly commit: string
  readonly date: string
  /** Whether `target` and all of `further` are. */
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

const holds = (bound: string, figure: number | null): boolean => {
  const [order, limit] = bound.split(' ')
  if (figure === null) return false
  return order === '<=' ? figure <= Number(limit) : figure >= Number(limit)
}

/** Each condition of a row to be read, with the figure where the row does not show it anyway, and whether it is reached; without a peer a ratio reaches nothing. */
export const conditions = ({
  target,
  value,
  ratio,
  further,
}: Pick<Result, 'target' | 'value' | 'ratio' | 'further'>): readonly (readonly [
  condition: string,
  reached: boolean,
])[] => [
  [target, holds(target.replace(/^\w+ /, ''), target.startsWith('value') ? value : ratio)],
  ...further.map(
    ({ what, target, value }) =>
      [`${what} ${target} (${value?.toFixed(3) ?? 'absent'})`, holds(target, value)] as const,
  ),
]

/** Times, losses, bytes. */
export const lowerIsBetter = (value: number, peerValue: number | null): number | null =>
  peerValue === null ? null : peerValue / value

/** Throughputs. */
export const higherIsBetter = (value: number, peerValue: number | null): number | null =>
  peerValue === null ? null : value / peerValue
