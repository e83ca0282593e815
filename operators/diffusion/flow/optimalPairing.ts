/**
 * The pairing of two batches that moves least in all: the permutation π minimising Σ ‖source_π(i) - target_i‖², exactly. Flow matching on such pairs learns
 * straighter paths (Pooladian et al., arXiv 2304.14772; Tong et al., arXiv 2302.00482).
 *
 * A linear assignment by the method of Jonker & Volgenant (Computing 38, 1987), O(n³) at worst: rows take their cheapest columns at prices that a smaller
 * problem gave, then one shortest augmenting path for each row left.
 */
import { ShapeError } from '../../../src/errors.ts'

/** Squared distances of all pairs: entry i n + j from target i to source j. */
const squaredDistances = (source: ArrayLike<number>, target: ArrayLike<number>, n: number): Float64Array => {
  const width = target.length / n
  const costs = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0
      for (let k = 0; k < width; k++) sum += (target[i * width + k] - source[j * width + k]) ** 2
      costs[i * n + j] = sum
    }
  return costs
}

/** For each of n targets, rows of equal width, the index of its source. */
export const optimalPairing = (source: ArrayLike<number>, target: ArrayLike<number>, n: number): Int32Array => {
  if (source.length !== target.length || target.length % n !== 0)
    throw new ShapeError(`pairing: ${source.length} and ${target.length} numbers in ${n} rows`)
  return assignment(squaredDistances(source, target, n), n)
}

/** The column of each row in the cheapest assignment of an n x n matrix. */
export const assignment = (costs: Float64Array, n: number): Int32Array => solve(costs, n).columnOf

interface Solution {
  readonly columnOf: Int32Array
  /** Prices of the columns: each row's own is the cheapest for it. */
  readonly prices: Float64Array
}

const solve = (costs: Float64Array, n: number): Solution => {
  const columnOf = new Int32Array(n).fill(-1)
  const rowOf = new Int32Array(n).fill(-1)
  const prices = startingPrices(costs, n)
  const free = takeCheapest(costs, n, prices, columnOf, rowOf)
  const search = shortestPath(costs, n, rowOf, prices)
  for (const row of free) {
    const { end, parent } = search(row)
    for (let column = end; ; ) {
      const owner = parent[column]
      const before = columnOf[owner]
      rowOf[column] = owner
      columnOf[owner] = column
      if (owner === row) break
      column = before
    }
  }
  return { columnOf, prices }
}

/** Every which row and column the smaller problem keeps, and from what size on one is solved first. */
const COARSER = 4
const LARGE = 64

/**
 * What each column is worth to the rows of a quarter of the problem, solved first. Any prices will do; near the right ones paths are short. Rows and columns
 * should come in random order, as samples do.
 */
const startingPrices = (costs: Float64Array, n: number): Float64Array => {
  const prices = new Float64Array(n).fill(n < LARGE ? 0 : Number.POSITIVE_INFINITY)
  if (n < LARGE) return prices
  const m = Math.floor(n / COARSER)
  const part = new Float64Array(m * m)
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) part[i * m + j] = costs[i * COARSER * n + j * COARSER]
  const coarse = solve(part, m)
  for (let i = 0; i < m; i++) {
    const column = coarse.columnOf[i]
    const pays = part[i * m + column] - coarse.prices[column]
    for (let j = 0, base = i * COARSER * n; j < n; j++) prices[j] = Math.min(prices[j], costs[base + j] - pays)
  }
  return prices
}

/** Each row takes its cheapest column if nobody has it; gives the rows left over. */
const takeCheapest = (
  costs: Float64Array,
  n: number,
  prices: Float64Array,
  columnOf: Int32Array,
  rowOf: Int32Array,
): number[] => {
  const free: number[] = []
  for (let i = 0; i < n; i++) {
    let least = Number.POSITIVE_INFINITY
    let at = 0
    for (let j = 0, base = i * n; j < n; j++) {
      const reduced = costs[base + j] - prices[j]
      if (reduced < least) {
        least = reduced
        at = j
      }
    }
    if (rowOf[at] === -1) {
      rowOf[at] = i
      columnOf[i] = at
    } else free.push(i)
  }
  return free
}

/** Dijkstra from a row over reduced costs to the nearest free column, then prices that keep all pairs cheapest. */
const shortestPath = (costs: Float64Array, n: number, rowOf: Int32Array, prices: Float64Array) => {
  const distance = new Float64Array(n)
  const parent = new Int32Array(n)
  /** Columns: those before `scanned` have their shortest path. */
  const order = Int32Array.from({ length: n }, (_, j) => j)
  return (free: number): { readonly end: number; readonly parent: Int32Array } => {
    distance.fill(Number.POSITIVE_INFINITY)
    let scanned = 0
    let row = free
    let offset = 0
    for (;;) {
      let best = scanned
      let least = Number.POSITIVE_INFINITY
      let open = false
      for (let k = scanned, base = row * n; k < n; k++) {
        const j = order[k]
        const through = offset + costs[base + j] - prices[j]
        if (through < distance[j]) {
          distance[j] = through
          parent[j] = row
        }
        const d = distance[j]
        // Among equals a free column ends the search.
        if (d < least || (d === least && !open && rowOf[j] === -1)) {
          least = d
          best = k
          open = rowOf[j] === -1
        }
      }
      const column = order[best]
      order[best] = order[scanned]
      order[scanned] = column
      if (open) {
        for (let k = 0; k < scanned; k++) {
          const j = order[k]
          prices[j] = prices[j] + distance[j] - least
        }
        return { end: column, parent }
      }
      scanned++
      row = rowOf[column]
      offset = least - (costs[row * n + column] - prices[column])
    }
  }
}
