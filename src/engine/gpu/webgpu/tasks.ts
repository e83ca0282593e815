/** What was dispatched and not yet submitted, in order; and which of it nobody needs any more. */
import type { Program } from './program.ts'
import type { Slot } from './slot.ts'

export interface Launch {
  readonly kind: 'launch'
  readonly key: string
  readonly source: () => Program
  readonly groups: readonly [number, number]
  readonly reads: readonly (Slot | Float32Array)[]
  readonly updates: readonly Slot[]
  readonly writes: readonly { readonly slot: Slot; readonly cells: number }[]
  readonly scalars: readonly number[]
}

export interface Read {
  readonly kind: 'read'
  readonly slot: Slot
  readonly size: number
  readonly resolve: (values: Float32Array) => void
  readonly reject: (error: Error) => void
}

export type Task =
  | Launch
  /** `out` holds the numbers of `x`, not copied. */
  | { readonly kind: 'alias'; readonly out: Slot; readonly x: Slot }
  | { readonly kind: 'place'; readonly out: Slot; readonly values: Float32Array }
  | { readonly kind: 'free'; readonly slot: Slot }
  | Read

const slotsOf = (task: Task): readonly Slot[] => {
  switch (task.kind) {
    case 'launch':
      return [
        ...task.reads.flatMap(x => (x instanceof Float32Array ? [] : [x])),
        ...task.updates,
        ...task.writes.map(({ slot }) => slot),
      ]
    case 'alias':
      return [task.out, task.x]
    case 'place':
      return [task.out]
    default:
      return [task.slot]
  }
}

/**
 * The tasks without those whose results are freed unread, directly or through others: work that a stream queued before it was
 * unsubscribed is never submitted. Reads and frees stay.
 */
export const living = (tasks: readonly Task[]): Task[] => {
  for (const task of tasks) for (const slot of slotsOf(task)) slot.needed = !slot.freed
  const kept: Task[] = []
  for (let i = tasks.length - 1; i >= 0; i--) {
    const task = tasks[i]
    if (task === undefined || !alive(task)) continue
    kept.push(task)
  }
  return kept.reverse()
}

/** Whether a task is needed, given what follows it; marks what it needs itself. */
const alive = (task: Task): boolean => {
  switch (task.kind) {
    case 'free':
      return true
    case 'read':
      task.slot.needed = true
      return true
    case 'place': {
      const { needed } = task.out
      task.out.needed = false
      return needed
    }
    case 'alias': {
      const { needed } = task.out
      task.out.needed = false
      if (needed) task.x.needed = true
      return needed
    }
    case 'launch': {
      if (!task.writes.some(({ slot }) => slot.needed) && !task.updates.some(slot => slot.needed)) return false
      for (const { slot } of task.writes) slot.needed = false
      for (const slot of task.updates) slot.needed = true
      for (const x of task.reads) if (!(x instanceof Float32Array)) x.needed = true
      return true
    }
  }
}
