import { EngineError } from '../../../errors.ts'

/** What an error says, in one line: those of WebGPU are no instances of Error, and Dawn's go on with where they come from. */
export const messageOf = (error: unknown): string => {
  const whole =
    typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)
  return whole.split('\n')[0] ?? whole
}

/** The end of an engine. */
export const stopped = (why: string, cause?: unknown): EngineError =>
  new EngineError(`${why.replace(/\.$/, '')}; the engine is not usable any more`, { cause })
