import { fromEvent, map, merge, type Observable, ReplaySubject } from 'rxjs'

/** Where text goes: a terminal, a pipe, a file, or a test. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** What a command has to do with the world besides files. */
export interface Io {
  /** Results, and nothing else. */
  readonly stdout: Output
  /** Everything else: which engine runs, progress, errors. */
  readonly stderr: Output
  /** Emits when the command is to stop: a signal, or nobody reads its results any more. */
  readonly interrupt$: Observable<Interrupted>
}

/** A command was stopped from outside; not a failure of its own, so there is no message. */
export class Interrupted extends Error {
  override readonly name: string = 'Interrupted'
  readonly exitCode: number

  constructor(cause: string, exitCode: number) {
    super(cause)
    this.exitCode = exitCode
  }
}

const isBrokenPipe = (error: Error): boolean => 'code' in error && error.code === 'EPIPE'

/**
 * This process: SIGINT and SIGTERM interrupt with exit code 130, a closed stdout ends quietly with 0, one that cannot be written with 2. Signals are caught only while
 * somebody waits for interrupts: work that gives no turn to the event loop is ended by the system, at once too.
 */
export const processIo = (): Io => {
  const closed$ = new ReplaySubject<Interrupted>(1)
  const onError = (error: Error): void => {
    const exitCode = isBrokenPipe(error) ? 0 : 2
    closed$.next(new Interrupted('closed output', exitCode))
    // A command that has written everything does not wait for interrupts.
    if (exitCode !== 0) process.exitCode = exitCode
  }
  process.stdout.on('error', error => {
    if (!isBrokenPipe(error)) process.stderr.write(`fluxion: stdout: ${error.message}\n`)
    onError(error)
  })
  process.stderr.on('error', onError)
  const signal$ = merge(fromEvent(process, 'SIGINT'), fromEvent(process, 'SIGTERM'))
  const interrupt$ = merge(closed$, signal$.pipe(map(() => new Interrupted('signal', 130))))
  return { stdout: process.stdout, stderr: process.stderr, interrupt$ }
}
