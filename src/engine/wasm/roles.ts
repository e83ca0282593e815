/** Kernels that are split by rows or numbers, said by what each argument is to a share. */
import { type Kernels, kernelNames } from './binary.generated.ts'
import { FLOAT } from './costs.ts'
import { LINE } from './heap.ts'
import type { Threads } from './threads.ts'
import type { Kernel } from './worker.ts'

export type Name = keyof Kernels
/** Says what an argument is to a share; `width` is the call's numbers a row. */
type Role = (value: number, width: number) => unknown

/** Numbers of a cache line: no two threads write one. */
export const VECTOR = LINE / FLOAT

export const rolesOf = (threads: Threads, list: readonly Kernel[]) => {
  const same: Role = value => threads.same(value)
  /** One number a unit of work. */
  const one: Role = address => threads.moving(address, FLOAT)
  /** `width` numbers a unit of work. */
  const row: Role = (address, width) => threads.moving(address, FLOAT * width)
  /** As many rows side by side. */
  const gates =
    (count: number): Role =>
    (address, width) =>
      threads.moving(address, FLOAT * count * width)
  const size: Role = () => threads.size()
  const width: Role = value => threads.same(value)

  /** A kernel over `size` rows of `width` numbers, or over `size` numbers, at `cost` a number. */
  const over = (name: Name, cost: number, ...roles: readonly Role[]): Kernel => {
    const direct = list[kernelNames.indexOf(name)]
    const sizeAt = roles.indexOf(size)
    const widthAt = roles.indexOf(width)
    return (...call) => {
      const total = call[sizeAt]
      const numbers = widthAt < 0 ? 1 : call[widthAt]
      if (!threads.splits(total * numbers * cost, total, widthAt < 0 ? VECTOR : 1)) direct(...call)
      else {
        threads.begin(name)
        for (let i = 0; i < call.length; i++) roles[i](call[i], numbers)
        threads.run()
      }
    }
  }
  return { same, one, row, gates, size, width, over }
}
