import { Storage } from '../../tensor/storage.ts'
import type { Engine } from '../engine.ts'
import type { Block } from './heap.ts'

/** A storage at an address of the engine's memory. */
export class WasmStorage extends Storage {
  readonly block: Block
  readonly address: number
  /** Until it is freed. */
  held = true

  constructor(engine: Engine, size: number, block: Block) {
    super(engine, size)
    this.block = block
    this.address = block.address
  }
}

/** Address of a storage; a storage of another kind of engine is refused. */
export const addressOf = (storage: Storage): number => {
  if (storage instanceof WasmStorage) return storage.address
  throw new TypeError(`a storage of the ${storage.engine.name} engine was given to a wasm kernel`)
}

/** 0 stands for an absent operand. */
export const addressOrNone = (storage: Storage | null): number => (storage === null ? 0 : addressOf(storage))
