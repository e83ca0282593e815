/** Errors that a user can act on. Each says what was expected, what was found, and where. */

/** Outside input is wrong: a file, a flag, an option, a request. The command line prints its message and exits with code 2. */
export class InputError extends Error {
  override readonly name: string = 'InputError'
}

/** Shapes or axes do not fit; thrown before any kernel is launched (law K2). */
export class ShapeError extends Error {
  override readonly name: string = 'ShapeError'
}

/** A tensor or a state was used after it was freed or consumed. The message names the tensor and the remedy. */
export class UsedAfterFreeError extends Error {
  override readonly name: string = 'UsedAfterFreeError'
}

/** A computation left the finite numbers, for instance a training loss that became NaN. */
export class NumericError extends Error {
  override readonly name: string = 'NumericError'
}

/**
 * An engine failed: its device was lost, its memory is exhausted, a worker crashed. The message names the cause and says whether the engine goes on.
 * Where it does not, every later call but freeing throws the same error at once.
 */
export class EngineError extends Error {
  override readonly name: string = 'EngineError'
  /** Whether the engine still computes. */
  readonly usable: boolean = false
}
