/**
 * The order of work on a WebGPU device. Launches are recorded where they are dispatched; a `read` submits all that was recorded, as one
 * command buffer, its parameters written in one piece, and brings back all that is read in one mapped buffer, several where much is read: one
 * submission and one readback a token or training step.
 *
 * Work whose results are freed before anybody read them is dropped (`living`). The first error sticks: what is recorded is given up, later
 * calls and reads report it, freeing still works.
 */
import { EngineError, InputError } from '../../../errors.ts'
import { type Encoded, settle, submit } from './encoding.ts'
import { messageOf, stopped } from './message.ts'
import { Session } from './session.ts'
import { type Launch, living, type Task } from './tasks.ts'

/** Launches recorded without any read after which they are submitted all the same. */
const MOST_RECORDED = 8192
/** `GPUMapMode.READ`. */
const MAP_READ = 1

/** What was asked of the device. */
export interface Work {
  submissions: number
  readbacks: number
  /** Kernels started on the device. */
  launches: number
  /** Kernels recorded and never started, since nobody wanted their results. */
  dropped: number
}

const isLaunch = (task: Task): task is Launch => task.kind === 'launch'

export class Recorder {
  readonly work: Work = { submissions: 0, readbacks: 0, launches: 0, dropped: 0 }
  readonly #acquire: () => Promise<GPUDevice>
  #session: Session | null = null
  #tasks: Task[] = []
  /** Launches among the tasks. */
  #recorded = 0
  #draining = false
  #due = false
  #failure: Error | null = null

  constructor(acquire: () => Promise<GPUDevice>) {
    this.#acquire = acquire
  }

  get failure(): Error | null {
    return this.#failure
  }

  /** Buffers made so far, and bytes held on the device. */
  get memory(): { readonly made: number; readonly held: number } {
    return { made: this.#session?.buffers.made ?? 0, held: this.#session?.buffers.held ?? 0 }
  }

  record(task: Task): void {
    if (this.#failure !== null && task.kind !== 'free') {
      if (task.kind !== 'read') throw this.#failure
      task.reject(this.#failure)
      return
    }
    this.#tasks.push(task)
    if (task.kind === 'launch') this.#recorded++
    if (task.kind === 'read' || task.kind === 'free' || this.#recorded > MOST_RECORDED) this.#drainSoon()
  }

  /** The first error; the device goes with it, and all that it held. */
  fail(error: unknown): Error {
    if (this.#failure === null) {
      const known = error instanceof EngineError || error instanceof InputError
      this.#failure = known ? error : stopped(`the gpu engine failed: ${messageOf(error)}`, error)
      this.#session?.device.destroy()
      this.#session = null
      const tasks = this.#tasks
      this.#tasks = []
      this.#giveUp(tasks, this.#failure)
    }
    return this.#failure
  }

  /** What is dispatched in the same turn goes along. */
  #drainSoon(): void {
    this.#due = true
    if (this.#draining) return
    this.#draining = true
    queueMicrotask(() => void this.#drain())
  }

  async #drain(): Promise<void> {
    while (this.#due) {
      this.#due = false
      const tasks = living(this.#tasks)
      const launches = tasks.filter(isLaunch)
      this.work.dropped += this.#recorded - launches.length
      const wanted = launches.length > MOST_RECORDED || tasks.some(task => task.kind === 'read')
      this.#tasks = wanted || launches.length === 0 ? [] : tasks
      this.#recorded = this.#tasks.length === 0 ? 0 : launches.length
      try {
        if (wanted) await this.#submit(tasks, launches)
        else if (launches.length === 0)
          for (const task of tasks) if (!isLaunch(task) && task.kind !== 'read') settle(this.#session, task)
      } catch (error) {
        this.#giveUp(tasks, await this.#stop(error))
      }
    }
    this.#draining = false
  }

  async #submit(tasks: readonly Task[], launches: readonly Launch[]): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    this.#session ??= new Session(await this.#acquire())
    const session = this.#session
    await session.compile(launches)
    if (this.#failure !== null) throw this.#failure
    const { device } = session
    device.pushErrorScope('out-of-memory')
    device.pushErrorScope('validation')
    const encoded = submit(session, tasks, ++this.work.submissions)
    this.work.launches += encoded.launches
    this.work.readbacks += encoded.readbacks.length
    // Within the scopes: what cannot be mapped is an error of this submission.
    const mapped = Promise.all(encoded.readbacks.map(({ staging, bytes }) => staging.gpu.mapAsync(MAP_READ, 0, bytes)))
    // Where memory ended, what went without it is invalid too.
    const error = Promise.all([device.popErrorScope(), device.popErrorScope()]).then(([invalid, memory]) =>
      memory === null ? invalid : stopped(`the GPU's memory is exhausted: ${messageOf(memory)}`, memory),
    )
    void this.#answer(session, encoded, mapped, error)
  }

  /** Not awaited by the queue: later work need not wait for the readback. */
  async #answer(
    session: Session,
    { answers, readbacks }: Encoded,
    mapped: Promise<unknown>,
    error: Promise<GPUError | Error | null>,
  ): Promise<void> {
    try {
      const [found] = await Promise.all([error, mapped])
      if (found !== null) throw found
      if (this.#failure !== null) throw this.#failure
      for (const { read, values } of answers) read.resolve(values)
      for (const { staging, bytes, reads } of readbacks) {
        const numbers = new Float32Array(staging.gpu.getMappedRange(0, bytes))
        let at = 0
        for (const read of reads) {
          read.resolve(numbers.slice(at, at + read.size))
          at += read.size
        }
        staging.gpu.unmap()
        session.unstage(staging)
      }
    } catch (thrown) {
      const failure = await this.#stop((await error.catch(() => null)) ?? thrown)
      for (const { read } of answers) read.reject(failure)
      for (const { reads } of readbacks) for (const read of reads) read.reject(failure)
    }
  }

  /** `fail`, once a lost device had its say: it makes other errors first, and is their cause. */
  async #stop(error: unknown): Promise<Error> {
    await Promise.race([this.#session?.device.lost, new Promise(resolve => setTimeout(resolve))])
    return this.fail(error)
  }

  #giveUp(tasks: readonly Task[], failure: Error): void {
    for (const task of tasks) {
      if (task.kind === 'free') settle(null, task)
      if (task.kind === 'read') task.reject(failure)
    }
  }
}
