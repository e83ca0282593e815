/**
 * Removes all but the best tokens: from the most probable down, ties by lower id, until their measures sum to at least `target`. With
 * measure 1 that is top-k, with the probability top-p.
 *
 * Source: Hoare's selection, 1961, its ranks weighed by the measure: O(V) on average, where a sort is O(V log V).
 */
export const keepBest = (
  logits: Float64Array,
  measure: (logit: number) => number,
  target: number,
  /** Tokens below it are known to be out. */
  least = -Infinity,
): Float64Array => {
  let size = 0
  for (let id = 0; id < logits.length; id++) {
    if (!(logits[id] >= least)) logits[id] = -Infinity
    if (logits[id] > -Infinity) size++
  }
  const values = new Float64Array(size)
  size = 0
  for (let id = 0; id < logits.length; id++) if (logits[id] > -Infinity) values[size++] = logits[id]
  const measures = values.map(measure)
  const { threshold, above } = select(values, measures, target)
  let sum = above
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]
    if (logit > threshold) continue
    if (logit === threshold && sum < target) sum += measure(logit)
    else logits[id] = -Infinity
  }
  return logits
}

/**
 * The value at which the measures, summed from the largest value down, reach the target, and the sum above it. -Infinity where they
 * never do. Reorders both arrays.
 */
const select = (values: Float64Array, measures: Float64Array, target: number) => {
  const swap = (i: number, j: number): void => {
    const [value, measure] = [values[i], measures[i]]
    values[i] = values[j]
    measures[i] = measures[j]
    values[j] = value
    measures[j] = measure
  }
  let above = 0
  let start = 0
  let end = values.length
  while (start < end) {
    const pivot = median(values[start], values[(start + end) >> 1], values[end - 1])
    // [start, larger) is above the pivot, [larger, i) equal to it, [smaller, end) below.
    let [larger, smaller] = [start, end]
    let [sumLarger, sumEqual] = [0, 0]
    for (let i = start; i < smaller; ) {
      if (values[i] > pivot) {
        sumLarger += measures[i]
        swap(i++, larger++)
      } else if (values[i] < pivot) swap(i, --smaller)
      else sumEqual += measures[i++]
    }
    if (above + sumLarger >= target) end = larger
    else if (above + sumLarger + sumEqual >= target) return { threshold: pivot, above: above + sumLarger }
    else {
      above += sumLarger + sumEqual
      start = smaller
    }
  }
  return { threshold: -Infinity, above }
}

const median = (x: number, y: number, z: number): number => Math.max(Math.min(x, y), Math.min(Math.max(x, y), z))
