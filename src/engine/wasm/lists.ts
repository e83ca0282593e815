/** Kernels over lists of tensors, one call each: addresses go through a table in scratch memory (assembly/optimizer.ts). */
import type { Storage } from '../../tensor/storage.ts'
import type { Fused } from '../fused.ts'
import type { Kernels } from './binary.generated.ts'
import { FLOAT } from './costs.ts'
import type { Memory } from './memory.ts'
import { addresses } from './storage.ts'

type Lists = Pick<Fused, 'adamW' | 'sumOfSquares' | 'scaleEach' | 'accumulateEach'>

const bits = new DataView(new ArrayBuffer(4))
/** The word that holds a number in f32. */
const wordOf = (value: number): number => {
  bits.setFloat32(0, value)
  return bits.getInt32(0)
}

/** Rows of words, and the sum of `size` over all items: each row begins with that sum up to its end. */
const tableOf = <T>(
  items: readonly T[],
  size: (item: T) => number,
  words: (item: T) => readonly number[],
): { readonly rows: number[]; readonly total: number } => {
  let total = 0
  const rows: number[] = []
  for (const item of items) {
    total += size(item)
    rows.push(total, ...words(item))
  }
  return { rows, total }
}

export const lists = (memory: Memory, kernels: Kernels): Lists => {
  const { at } = addresses(memory)
  const pairs = (outs: readonly Storage[], xs: readonly Storage[], sizes: readonly number[]) =>
    tableOf(
      sizes.map((size, i) => ({ size, out: outs[i], x: xs[i] })),
      ({ size }) => size,
      ({ out, x }) => [at(out), at(x)],
    )
  return {
    adamW: (tensors, { rate, beta1, beta2, epsilon, correction1, correction2 }) => {
      const { rows, total } = tableOf(
        tensors,
        one => one.size,
        one => [
          at(one.update),
          at(one.firstMoment),
          at(one.secondMoment),
          at(one.gradient),
          at(one.parameter),
          wordOf(one.weightDecay),
        ],
      )
      const table = memory.stage(new Int32Array(rows))
      const [rest1, rest2] = [1 - beta1, 1 - beta2]
      kernels.adamW(table, rate, beta1, rest1, beta2, rest2, epsilon, 1 / correction1, 1 / correction2, 0, total)
    },
    sumOfSquares: (out, xs, sizes) => {
      const { rows, total } = tableOf(
        xs.map((x, i) => ({ x, size: sizes[i] })),
        ({ size }) => kernels.squareParts(size),
        ({ x, size }) => [at(x), size],
      )
      // The parts' sums stand behind the table.
      const table = memory.scratch(FLOAT * (rows.length + total))
      memory.integers.set(rows, table / FLOAT)
      const parts = table + FLOAT * rows.length
      kernels.squaresOfParts(parts, table, 0, total)
      kernels.sumRows(at(out), parts, 1, total)
    },
    scaleEach: (outs, xs, factor, sizes) => {
      const { rows, total } = pairs(outs, xs, sizes)
      kernels.scaleEach(memory.stage(new Int32Array(rows)), at(factor), 0, total)
    },
    accumulateEach: (outs, xs, sizes) => {
      const { rows, total } = pairs(outs, xs, sizes)
      kernels.accumulateEach(memory.stage(new Int32Array(rows)), 0, total)
    },
  }
}
