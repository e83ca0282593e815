/**
 * The order of work on a device. Callers dispatch synchronously; where kernels answer with promises, tasks wait for one
 * another in that order, so that a launch always finds its operands settled.
 *
 * No promise rejects by itself (an unread dependent would kill Node with an unhandled rejection): the first error sticks,
 * later launches are skipped, and every `read` from then on reports it. Freeing still works.
 */
export class Queue {
  failure: Error | null = null
  readonly #asynchronous: boolean
  readonly #tasks: (() => void | Promise<void>)[] = []
  #draining = false

  constructor(asynchronous: boolean) {
    this.#asynchronous = asynchronous
  }

  /** Runs after everything dispatched before it, unless something failed. */
  launch(task: () => void | Promise<void>): void {
    this.always(() => (this.failure === null ? task() : undefined))
  }

  /** As `launch`, after a failure too. */
  always(task: () => void | Promise<void>): void {
    if (!this.#asynchronous) {
      try {
        const pending = task()
        if (pending instanceof Promise)
          throw new TypeError('a gpu.js kernel answered with a promise in a synchronous mode')
      } catch (error) {
        this.fail(error)
      }
      return
    }
    this.#tasks.push(task)
    if (!this.#draining) {
      this.#draining = true
      queueMicrotask(() => void this.#drain())
    }
  }

  fail(error: unknown): void {
    this.failure ??= new Error(`the gpu engine stopped: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }

  /** Tasks run to the end of the queue, those pushed meanwhile included; promises are awaited, nothing else is. */
  async #drain(): Promise<void> {
    for (let next = 0; next < this.#tasks.length; next++) {
      try {
        const pending = this.#tasks[next]()
        if (pending instanceof Promise) await pending
      } catch (error) {
        this.fail(error)
      }
      if (next > 1024) next -= this.#tasks.splice(0, next).length
    }
    this.#tasks.length = 0
    this.#draining = false
  }
}
