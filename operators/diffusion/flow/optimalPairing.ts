/**
 * The pairing of two batches that moves least in all: the permutation π minimising Σ ‖source_π(i) - target_i‖², exactly. Flow matching on such pairs learns
 * straighter paths (Pooladian et al., arXiv 2304.14772; Tong et al., arXiv 2302.00482).
 *
 * A linear assignment by shortest augmenting paths on reduced costs (Jonker & Volgenant, Computing 38, 1987; Crouse, IEEE TAES 52, 2016), O(n³) at worst: duals
 * from row and column minima, pairs of reduced cost zero at once, then one Dijkstra for each row left.
 */
import { ShapeError } from '../../../src/errors.ts'

/** Squared distances of all pairs: entry i n + j from target i to source j. */
const squaredDistances = (source: ArrayLike<number>, target: ArrayLike<number>, n: number): Float64Array => {
  const width = target.length / n
  const costs = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0
      for (let k = 0; k < width; k++) sum += ((target[i * width + k] ?? 0) - (source[j * width + k] ?? 0)) ** 2
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
export const assignment = (costs: Float64Array, n: number): Int32Array => {
  const columnOf = new Int32Array(n).fill(-1)
  const rowOf = new Int32Array(n).fill(-1)
  const { u, v } = startingDuals(costs, n, columnOf, rowOf)
  const distance = new Float64Array(n)
  const parent = new Int32Array(n)
  /** Columns: those before `scanned` have their shortest path, those after are open. */
  const order = Int32Array.from({ length: n }, (_, j) => j)
  for (let free = 0; free < n; free++) {
    if (columnOf[free] !== -1) continue
    distance.fill(Number.POSITIVE_INFINITY)
    let scanned = 0
    let row = free
    let shortest = 0
    let end = -1
    while (end < 0) {
      let best = scanned
      const base = row * n
      const offset = shortest - (u[row] ?? 0)
      let least = Number.POSITIVE_INFINITY
      for (let k = scanned; k < n; k++) {
        const j = order[k] ?? 0
        const through = offset + (costs[base + j] ?? 0) - (v[j] ?? 0)
        if (through < (distance[j] ?? 0)) {
          distance[j] = through
          parent[j] = row
        }
        // Among equals a free column ends the search.
        const d = distance[j] ?? 0
        if (d < least || (d === least && rowOf[j] === -1)) {
          least = d
          best = k
        }
      }
      const column = order[best] ?? 0
      shortest = least
      order[best] = order[scanned] ?? 0
      order[scanned++] = column
      const next = rowOf[column] ?? -1
      if (next === -1) end = column
      else row = next
    }
    u[free] = (u[free] ?? 0) + shortest
    for (let k = 0; k < scanned - 1; k++) {
      const j = order[k] ?? 0
      const gain = shortest - (distance[j] ?? 0)
      const owner = rowOf[j] ?? 0
      u[owner] = (u[owner] ?? 0) + gain
      v[j] = (v[j] ?? 0) - gain
    }
    for (let column = end; ; ) {
      const owner = parent[column] ?? 0
      const before = columnOf[owner] ?? -1
      rowOf[column] = owner
      columnOf[owner] = column
      if (owner === free) break
      column = before
    }
  }
  return columnOf
}

/** v from column minima, u from what is left of the rows, and the pairs that cost nothing then. */
const startingDuals = (costs: Float64Array, n: number, columnOf: Int32Array, rowOf: Int32Array) => {
  const v = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) v[j] = Math.min(v[j] ?? 0, costs[i * n + j] ?? 0)
  const u = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let least = Number.POSITIVE_INFINITY
    let at = 0
    for (let j = 0; j < n; j++) {
      const reduced = (costs[i * n + j] ?? 0) - (v[j] ?? 0)
      if (reduced < least || (reduced === least && rowOf[at] !== -1)) {
        least = reduced
        at = j
      }
    }
    u[i] = least
    if (rowOf[at] === -1) {
      rowOf[at] = i
      columnOf[i] = at
    }
  }
  return { u, v }
}
