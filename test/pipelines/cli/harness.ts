/** Runs the command line inside the test, or as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Subject } from 'rxjs'
import type { Test } from 'tape'
import { Interrupted } from '../../../pipelines/cli/io.ts'
import { run } from '../../../pipelines/cli/run.ts'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Inside {
  /** Interrupts, as SIGINT does, once this many lines are on stdout. */
  readonly interruptAfter?: number
  /** stderr says that it is a terminal. */
  readonly terminal?: boolean
}

const capture = (onText: (all: string) => void = () => {}) => {
  let all = ''
  const stream = new Writable({
    write: (chunk, _, done) => {
      all += String(chunk)
      onText(all)
      done()
    },
  })
  return { stream, text: () => all }
}

const linesOf = (text: string): readonly string[] => text.split('\n').filter(line => line !== '')

/** The command line in this process. */
export const fluxion = async (
  args: readonly string[],
  { interruptAfter, terminal = false }: Inside = {},
): Promise<Outcome> => {
  const interrupt$ = new Subject<Interrupted>()
  const stdout = capture(all => {
    if (linesOf(all).length === interruptAfter) interrupt$.next(new Interrupted('test', 130))
  })
  const stderr = capture()
  const code = await run(args, {
    stdout: stdout.stream,
    stderr: terminal ? Object.assign(stderr.stream, { isTTY: true, columns: 80 }) : stderr.stream,
    interrupt$,
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

export const jsonLines = (text: string): readonly unknown[] => linesOf(text).map((line): unknown => JSON.parse(line))

/** Fails with code 2 and one line that says so. */
export const refused = async (t: Test, args: readonly string[], message: string): Promise<void> => {
  const { code, stderr } = await fluxion(args)
  t.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr.trim())
  t.ok(stderr.startsWith('fluxion: ') && stderr.includes(message), message)
}

export const MAIN = fileURLToPath(new URL('../../../pipelines/cli/main.ts', import.meta.url))

export interface Spawned {
  readonly process: ChildProcess
  /** Resolves when so many lines are on stdout; rejects when the process ends before. */
  readonly lines: (count: number) => Promise<void>
  /** `code` is null after a signal that was not handled. */
  readonly end: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** The command line as a process. */
export const spawnFluxion = (args: readonly string[]): Spawned => {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const waiting: { readonly count: number; readonly resolve: () => void; readonly reject: (e: Error) => void }[] = []
  let [stdout, stderr] = ['', '']
  const settle = (): void => {
    for (const { count, resolve } of waiting) if (linesOf(stdout).length >= count) resolve()
  }
  child.stdout.on('data', chunk => {
    stdout += String(chunk)
    settle()
  })
  child.stderr.on('data', chunk => {
    stderr += String(chunk)
  })
  const end = new Promise<{ code: number | null; stdout: string; stderr: string }>(resolve =>
    child.on('close', code => {
      for (const { reject } of waiting) reject(new Error(`ended early: ${stderr}`))
      resolve({ code, stdout, stderr })
    }),
  )
  const lines = (count: number) =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ count, resolve, reject })
      settle()
    })
  return { process: child, lines, end }
}

/** A folder that is gone after the test. */
export const inTemporaryFolder = async <T>(use: (path: (name: string) => string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-cli-'))
  try {
    return await use(name => join(folder, name))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A text with some structure, its own length in characters. */
export const sampleText = (length: number): string => {
  const words = ['the', 'cat', 'sat', 'on', 'a', 'mat', 'and', 'saw', 'two', 'dogs', 'run.\n']
  let [text, state] = ['', 1]
  while (text.length < length) {
    state = (state * 48271) % 2147483647
    text += `${words[state % words.length] ?? ''} `
  }
  return text.slice(0, length)
}
