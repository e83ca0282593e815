import { UsedAfterFreeError } from '../../errors.ts'
import { Storage } from '../../tensor/storage.ts'
import type { Engine } from '../engine.ts'
import type { Block } from './heap.ts'
import type { Memory } from './memory.ts'
import type { Panels } from './panels.ts'

/** A storage at an address of the engine's memory. */
export class WasmStorage extends Storage {
  readonly block: Block
  readonly address: number
  /** Where it lives, until it is freed. */
  memory: Memory | null
  /** How its numbers lie where they are not row-major; products know, for all others `at` puts them back. */
  panels: Panels | null = null
  /** Products of few rows that have read it since it lies as it does, and how often it was put back. */
  reads = 0
  returns = 0

  constructor(engine: Engine, size: number, memory: Memory, block: Block) {
    super(engine, size)
    this.memory = memory
    this.block = block
    this.address = block.address
  }
}

/** The storage, where this kind of engine made it. */
export const ownStorage = (storage: Storage): WasmStorage => {
  if (storage instanceof WasmStorage) return storage
  throw new TypeError(`a storage of the ${storage.engine.name} engine was given to a wasm kernel`)
}

export interface Addresses {
  /** The storage, where it lives in this memory. */
  held(storage: Storage): WasmStorage
  /** Address of its row-major numbers. */
  at(storage: Storage): number
  /** The same; 0 stands for an absent operand. */
  addressOrNone(storage: Storage | null): number
}

/** Storages of one memory; one that was freed, or lives in another, is an error. */
export const addresses = (memory: Memory): Addresses => {
  const held = (storage: Storage): WasmStorage => {
    const own = ownStorage(storage)
    if (own.memory === memory) return own
    throw own.memory === null
      ? new UsedAfterFreeError('a storage of the wasm engine was used after it was freed')
      : new TypeError('a storage of another wasm engine was given to this one')
  }
  const at = (storage: Storage): number => {
    const own = held(storage)
    own.panels?.undo()
    return own.address
  }
  return { held, at, addressOrNone: storage => (storage === null ? 0 : at(storage)) }
}
