import { Storage } from '../../tensor/storage.ts'
import type { Engine } from '../engine.ts'
import type { Block } from './heap.ts'
import type { Panels } from './panels.ts'

/** A storage at an address of the engine's memory. */
export class WasmStorage extends Storage {
  readonly block: Block
  readonly address: number
  /** Until it is freed. */
  held = true
  /** How its numbers lie where they are not row-major; products know, for all others `addressOf` puts them back. */
  panels: Panels | null = null
  /** Products of few rows that have read it since it lies as it does, and how often it was put back. */
  reads = 0
  returns = 0

  constructor(engine: Engine, size: number, block: Block) {
    super(engine, size)
    this.block = block
    this.address = block.address
  }
}

/** The storage, where this kind of engine made it. */
export const ownStorage = (storage: Storage): WasmStorage => {
  if (storage instanceof WasmStorage) return storage
  throw new TypeError(`a storage of the ${storage.engine.name} engine was given to a wasm kernel`)
}

/** Address of a storage's row-major numbers. */
export const addressOf = (storage: Storage): number => {
  const own = ownStorage(storage)
  own.panels?.undo()
  return own.address
}

/** 0 stands for an absent operand. */
export const addressOrNone = (storage: Storage | null): number => (storage === null ? 0 : addressOf(storage))
