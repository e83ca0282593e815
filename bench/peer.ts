/**
 * A peer is a child process that answers one JSON line for each JSON line, so that both sides stay warm and alternate in one run.
 * It greets with `{"ready": "<name and version>"}` or `{"absent": "<reason>"}`, times itself, and answers `{"error": …}` when a request fails.
 */
import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { Absent } from './row.ts'

export type Answer = Readonly<Record<string, unknown>>

export interface Peer {
  /** Name and version, as the peer tells it. */
  readonly version: string
  ask(request: Readonly<Record<string, unknown>>): Promise<Answer>
  stop(): void
}

const isAnswer = (value: unknown): value is Answer => typeof value === 'object' && value !== null

/** null where a line is no answer: some library's own words. */
const parsed = (line: string): Answer | null => {
  try {
    const value: unknown = JSON.parse(line)
    return isAnswer(value) ? value : null
  } catch {
    return null
  }
}

/** `args` begin with the interpreter's own; the first script among them names the peer in errors. */
export const startPeer = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Peer> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const waiting: { answer(line: Answer): void; fail(error: Error): void }[] = []
    let complaints = ''
    /** Why it answers no more. */
    let gone: Error | null = null
    const script = basename(args.find(arg => /\.(py|mjs)$/.test(arg)) ?? command)
    const failAll = (error: Error) => {
      gone ??= error
      for (const one of waiting.splice(0)) one.fail(gone)
    }
    child.on('error', error => failAll(new Absent(`${command} does not start: ${error.message}`)))
    child.on('exit', code => failAll(new Error(`${script} ended with code ${code}: ${complaints.trim()}`)))
    child.stdin.on('error', () => {})
    child.stderr.on('data', (chunk: Buffer) => {
      complaints = (complaints + chunk.toString()).slice(-2000)
    })
    createInterface({ input: child.stdout }).on('line', line => {
      const answer = parsed(line)
      if (answer !== null) waiting.shift()?.answer(answer)
      else complaints = `${complaints}${line}\n`.slice(-2000)
    })
    const next = () =>
      new Promise<Answer>((answer, fail) => {
        if (gone === null) waiting.push({ answer, fail })
        else fail(gone)
      })
    const stop = () => {
      child.removeAllListeners('exit')
      child.kill()
    }
    const ask: Peer['ask'] = async request => {
      const reply = next()
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const answer = await reply
      if (answer.error !== undefined) throw new Error(`${script}: ${answer.error}`)
      return answer
    }
    next().then(greeting => {
      if (typeof greeting.ready === 'string') resolve({ version: greeting.ready, ask, stop })
      else {
        stop()
        reject(new Absent(String(greeting.absent)))
      }
    }, reject)
  })

/** A number of an answer; throws where the peer sent something else. */
export const numberIn = (answer: Answer, field: string): number => {
  const value = answer[field]
  if (typeof value !== 'number')
    throw new TypeError(`the peer's ${field} is ${JSON.stringify(value)}, expected a number`)
  return value
}

/** Numbers of an answer. */
export const numbersIn = (answer: Answer, field: string): number[] => {
  const value = answer[field]
  if (!Array.isArray(value)) throw new TypeError(`the peer's ${field} is ${JSON.stringify(value)}, expected numbers`)
  return value.map(Number)
}
