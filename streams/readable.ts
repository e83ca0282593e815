import { type Bound, iterate, type Policy, type Source } from './iterate.ts'

export interface ReadableOptions extends Bound {
  readonly policy?: Policy
}

/**
 * A stream as a web `ReadableStream`, for an HTTP response or a pipe. Each pull of the reader grants one credit to a source made
 * from demand; a plain observable is kept under `policy` and `bound` as in `iterate`. The stream itself keeps nothing.
 * `cancel` unsubscribes, an error errors the stream. Law S12.
 */
export const toReadableStream = <T>(
  source: Source<T>,
  { policy = 'each', ...bound }: ReadableOptions = {},
): ReadableStream<T> => {
  const values = iterate(source, policy, bound)
  return new ReadableStream<T>(
    {
      // The next pull waits for this promise, so at most one credit is out.
      pull: async controller => {
        const result = await values.next()
        if (result.done) controller.close()
        else controller.enqueue(result.value)
      },
      cancel: async () => {
        await values.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
