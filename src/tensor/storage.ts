import type { Engine } from '../engine/engine.ts'

/**
 * A block of numbers on one engine. Storages are counted: views and states share them, the last owner frees them.
 * Each engine has its own subclass holding its handle (an array, a pointer, a GPU texture).
 */
export abstract class Storage {
  /** How many live tensors hold this storage. */
  owners = 1
  /** In a cache: how many leading positions have been written. A writer past it disturbs nobody. */
  written = 0
  readonly engine: Engine
  /** Number of elements. */
  readonly size: number

  constructor(engine: Engine, size: number) {
    this.engine = engine
    this.size = size
  }
}
