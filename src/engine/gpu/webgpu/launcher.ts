/** Launches on WebGPU: gpu.js kernels through the translator, as in every mode, and WGSL of our own. */
import type { Storage } from '../../../tensor/storage.ts'
import type { Launcher } from '../launcher.ts'
import { assemble, type Program, rowsOfGroups, type Wgsl } from './program.ts'
import type { Recorder } from './recorder.ts'
import { slotOf } from './slot.ts'
import { Translator } from './translate.ts'

export interface Operands {
  readonly reads: readonly (Storage | Float32Array)[]
  /** Read and written where they are. */
  readonly updates?: readonly Storage[]
  /** Written whole. */
  readonly writes?: readonly Storage[]
  /** Integers, then reals. */
  readonly scalars?: readonly number[]
}

export interface WgslLauncher extends Launcher {
  /** Runs WGSL over so many workgroups. `key` names the text and every size it holds. */
  dispatch(key: string, source: () => Wgsl, groups: number, operands: Operands): void
}

export const wgslLauncher = (
  recorder: Recorder,
  allocate: (size: number) => Storage,
  free: (storage: Storage) => void,
): WgslLauncher => {
  const translator = new Translator()
  const operand = (x: Storage | Float32Array) => (x instanceof Float32Array ? x : slotOf(x))
  return {
    quads: false,
    launch: (out, key, grid, source, inputs, scalars = []) => {
      const cells = grid[0] * (grid[1] ?? 1) * (grid[2] ?? 1)
      const slot = slotOf(out)
      const reads = inputs.map(operand)
      if (cells === 0) return recorder.record({ kind: 'place', out: slot, values: new Float32Array(0) })
      recorder.record({
        kind: 'launch',
        key: `${key} ${grid} ${reads.length}`,
        source: (): Program => translator.translate(source(), grid),
        groups: translator.groups(cells),
        reads,
        updates: [],
        writes: [{ slot, cells }],
        scalars,
      })
    },
    dispatch: (key, source, groups, { reads, updates = [], writes = [], scalars = [] }) => {
      const task = {
        kind: 'launch',
        key: `wgsl ${key}`,
        source: () => assemble(source()),
        groups: rowsOfGroups(groups),
        reads: reads.map(operand),
        updates: updates.map(slotOf),
        writes: writes.map(slotOf).map(slot => ({ slot, cells: slot.size })),
        scalars,
      } as const
      if (groups > 0) recorder.record(task)
    },
    temporary: (sizes, body) => {
      const storages: Storage[] = []
      try {
        for (const size of sizes) storages.push(allocate(size))
        body(...storages)
      } finally {
        storages.forEach(free)
      }
    },
    alias: (out, x) => recorder.record({ kind: 'alias', out: slotOf(out), x: slotOf(x) }),
    place: (out, values) => recorder.record({ kind: 'place', out: slotOf(out), values }),
  }
}
