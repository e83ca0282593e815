/** BPE training the simple way, for comparison: all pairs are counted anew before every merge. Source: minbpe `basic.py`. */

type Counts = Iterable<readonly [string, number]>
type Better = (a: readonly [number, number, number], b: readonly [number, number, number]) => boolean

/** Count desc, then the smaller pair. */
const tieBroken: Better = ([l, r, n], [l2, r2, n2]) => n > n2 || (n === n2 && (l < l2 || (l === l2 && r < r2)))

/** As `learnMerges`. */
export const recount = (counts: Counts, limit: number, better: Better = tieBroken): [number, number][] => {
  let words = Array.from(counts, ([piece, count]) => ({ ids: [...new TextEncoder().encode(piece)], count }))
  const merges: [number, number][] = []
  while (merges.length < limit) {
    const found = new Map<number, number>()
    for (const { ids, count } of words) {
      for (let i = 0; i + 1 < ids.length; i++) {
        const key = ids[i] * 65536 + ids[i + 1]
        found.set(key, (found.get(key) ?? 0) + count)
      }
    }
    let best: readonly [number, number, number] | null = null
    for (const [key, count] of found) {
      const candidate = [key >> 16, key & 65535, count] as const
      if (best === null || better(candidate, best)) best = candidate
    }
    if (best === null) break
    const [left, right] = best
    const made = 256 + merges.length
    merges.push([left, right])
    words = words.map(({ ids, count }) => {
      const next: number[] = []
      for (let i = 0; i < ids.length; i++) {
        const joins = ids[i] === left && ids[i + 1] === right
        next.push(joins ? made : ids[i])
        if (joins) i++
      }
      return { ids: next, count }
    })
  }
  return merges
}
