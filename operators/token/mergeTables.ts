/** The two kinds of merge rules: a list of pairs in order, and "any two tokens that together are a token", by id or by score. */
import { InputError } from '../../src/errors.ts'
import type { Merges } from './merges.ts'
import type { MergeList } from './model.ts'
import type { TokenTable } from './tokenTable.ts'

const hashOf = (left: number, right: number) => {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca6b)
  return hash ^ (hash >>> 15)
}

/** Merges of a list, the first first; what a pair becomes is the token of its joined bytes. The first of equal pairs counts. */
export const listedMerges = (list: MergeList, table: TokenTable, where = 'merges'): Merges => {
  const mask = 2 ** Math.ceil(Math.log2(Math.max(16, list.length * 2))) - 1
  const slots = new Int32Array(mask + 1).fill(-1)
  const lefts = new Int32Array(list.length)
  const rights = new Int32Array(list.length)
  const result = new Int32Array(list.length)
  const slotOf = (left: number, right: number): number => {
    let at = hashOf(left, right) & mask
    while (slots[at] >= 0 && (lefts[slots[at]] !== left || rights[slots[at]] !== right)) at = (at + 1) & mask
    return at
  }
  list.forEach(([left, right], index) => {
    const id = table.join(left, right)
    if (id < 0) throw new InputError(`${where}: merge ${index}: expected a pair that together is a token, found none`)
    lefts[index] = left
    rights[index] = right
    result[index] = id
    const slot = slotOf(left, right)
    if (slots[slot] < 0) slots[slot] = index
  })
  return {
    find: (left, right) => slots[slotOf(left, right)],
    precedence: Int32Array.from(list, (_, index) => index),
    result,
  }
}

/** Any two neighbours whose bytes together are a token merge to it. `precedence` by id, by default the id itself. */
export const joiningMerges = (table: TokenTable, precedence?: Int32Array): Merges => {
  const ids = Int32Array.from({ length: table.size }, (_, id) => id)
  return { find: (left, right) => table.join(left, right), precedence: precedence ?? ids, result: ids }
}
