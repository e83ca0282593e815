import fc from 'fast-check'
import test from 'tape'
import { type Block, Heap, LINE } from '../../../src/engine/wasm/heap.ts'

interface Space {
  readonly heap: Heap
  readonly grown: () => number
}

/** A heap over an imaginary space of `limit` bytes. */
const space = (limit = Infinity): Space => {
  let bytes = 0
  const grow = (more: number): number => {
    if (bytes + more > limit) return 0
    bytes += more
    return more
  }
  return { heap: new Heap(LINE, grow), grown: () => bytes }
}

const take = (heap: Heap, bytes: number): Block => {
  const block = heap.allocate(bytes)
  if (block === null) throw new RangeError('full')
  return block
}

/** Live blocks lie apart, aligned, inside the space, and are large enough. */
const apart = (live: readonly { block: Block; wanted: number }[], end: number): boolean => {
  const sorted = live.toSorted((a, b) => a.block.address - b.block.address)
  return sorted.every(({ block, wanted }, i) => {
    const next = sorted[i + 1]?.block.address ?? end
    return block.address % LINE === 0 && block.bytes >= wanted && block.address + block.bytes <= next
  })
}

test('heap: blocks never overlap, and everything freed is one run again', t => {
  const step = fc.record({ bytes: fc.integer({ min: 0, max: 1 << 20 }), drop: fc.nat() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const { heap, grown } = space()
      const live: { block: Block; wanted: number }[] = []
      for (const { bytes, drop } of steps) {
        if (drop % 3 === 0 && live.length > 0)
          for (const { block } of live.splice(drop % live.length, 1)) heap.release(block)
        else live.push({ block: take(heap, bytes), wanted: bytes })
        if (!apart(live, LINE + grown())) return false
      }
      for (const { block } of live) heap.release(block)
      const before = grown()
      if (before > 0) take(heap, Math.floor(before / 34) * 32)
      return grown() === before && (steps.length === 0 || heap.taken <= before)
    }),
    { numRuns: 200 },
  )
  t.notOk(
    apart(
      [0, 1].map(() => ({ block: { address: LINE, bytes: LINE }, wanted: 1 })),
      1024,
    ),
    'negative control: one block given twice',
  )
  t.end()
})

test('heap: steps that allocate alike never grow the space', t => {
  const { heap, grown } = space()
  const sizes = Array.from({ length: 400 }, (_, i) => ((i * 7919) % 5000) * 40 + 4)
  const step = (): void => {
    const blocks = sizes.map(bytes => take(heap, bytes))
    for (const i of blocks.keys()) {
      const block = blocks[(i * 173) % blocks.length]
      if (block !== undefined) heap.release(block)
    }
  }
  step()
  const after = grown()
  for (let i = 0; i < 50; i++) step()
  t.equal(grown(), after)
  t.equal(heap.taken, 0)
  t.ok(after < 1.05 * sizes.reduce((sum, bytes) => sum + bytes + LINE, 0), 'little waste')
  t.end()
})

test('heap: a full space answers null and stays usable; a second release throws', t => {
  const { heap } = space(1 << 16)
  const block = take(heap, 40000)
  t.equal(heap.allocate(40000), null)
  t.equal(heap.allocate(1e15), null)
  heap.release(block)
  t.throws(() => heap.release(block), /released twice/)
  t.ok(heap.allocate(60000))
  t.end()
})
