import { defer, finalize, type MonoTypeOperatorFunction } from 'rxjs'

/** Holds a pulled source back while work between two of its values goes on. */
export class Gate {
  #open: Promise<void> | null = null

  /** `make()` at once, or after the gate opens. */
  pass<T>(make: () => T | Promise<T>): T | Promise<T> {
    return this.#open === null ? make() : this.#open.then(make)
  }

  /** Shut from subscription until the source ends, fails or is unsubscribed. */
  shut<T>(): MonoTypeOperatorFunction<T> {
    return source =>
      defer(() => {
        let open = (): void => {}
        this.#open = new Promise(resolve => {
          open = resolve
        })
        return source.pipe(
          finalize(() => {
            this.#open = null
            open()
          }),
        )
      })
  }
}
