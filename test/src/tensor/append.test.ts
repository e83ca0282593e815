import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { UsedAfterFreeError } from '../../../src/errors.ts'
import { append } from '../../../src/kernel/append.ts'
import { zeros } from '../../../src/kernel/fill.ts'
import { slice } from '../../../src/kernel/slice.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { read, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { engines } from '../../kernel/engines.ts'

const [BATCH, CAPACITY, WIDTH] = [2, 6, 3]

/** A cache and how many positions of it are filled: the handle that forks and rolls back. */
interface Cache {
  readonly rows: Tensor
  readonly length: number
}

/** What each cache should hold: one number a position. */
interface Model {
  readonly cache: Cache
  readonly marks: readonly number[]
}

type Command =
  | { readonly kind: 'append'; readonly which: number; readonly count: number }
  | { readonly kind: 'fork'; readonly which: number }
  | { readonly kind: 'truncate'; readonly which: number; readonly length: number }

const commands: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('append'), which: fc.nat(20), count: fc.nat(2) }),
    fc.record({ kind: fc.constant('fork'), which: fc.nat(20) }),
    fc.record({ kind: fc.constant('truncate'), which: fc.nat(20), length: fc.nat(CAPACITY) }),
  ),
  { maxLength: 14 },
)

type Append = typeof append

const rowsOf = (engine: Engine, marks: readonly number[]): Tensor =>
  tensor(
    engine,
    [BATCH, marks.length, WIDTH],
    Array.from({ length: BATCH * marks.length * WIDTH }, (_, i) => marks[Math.floor(i / WIDTH) % marks.length] ?? 0),
  )

/** Runs commands on real caches and on lists beside them; then every cache holds what its list says. */
const isolated = async (engine: Engine, list: readonly Command[], by: Append): Promise<boolean> => {
  let stamp = 0
  const checks = scope(() => {
    const models: Model[] = [{ cache: { rows: zeros(engine, [BATCH, CAPACITY, WIDTH]), length: 0 }, marks: [] }]
    for (const command of list) {
      const at = command.which % models.length
      const model = models[at]
      if (model === undefined) continue
      const { cache, marks } = model
      if (command.kind === 'fork') models.push({ cache: { ...cache, rows: cache.rows.share() }, marks })
      else if (command.kind === 'truncate') {
        const length = Math.min(command.length, cache.length)
        models[at] = { cache: { ...cache, length }, marks: marks.slice(0, length) }
      } else {
        const count = Math.min(command.count, CAPACITY - cache.length)
        const added = Array.from({ length: count }, () => ++stamp)
        const rows = by(cache.rows, rowsOf(engine, added), cache.length)
        models[at] = { cache: { rows, length: cache.length + count }, marks: [...marks, ...added] }
      }
    }
    return models.map(({ cache, marks }) => ({
      found: slice(cache.rows, 1, 0, cache.length),
      marks,
    }))
  })
  const results = await Promise.all(
    checks.map(async ({ found, marks }) => {
      const numbers = Array.from(await read(found))
      found.release()
      return numbers.every((x, i) => x === marks[Math.floor(i / WIDTH) % marks.length])
    }),
  )
  return results.every(result => result)
}

for (const { name, make, runs } of engines)
  test(`L5 forked and rolled back caches never see each other: ${name}`, async t => {
    const engine = make()
    const law = fc.asyncProperty(commands, list => isolated(engine, list, append))
    const result = await fc.check(law, { numRuns: 2 * runs })
    t.notOk(result.failed, result.failed ? fc.defaultReportMessage(result) : `${result.numRuns} runs`)
    t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
  })

test('L5 negative control: an append that always writes in place is found', async t => {
  const careless: Append = (cache, rows, offset) => {
    const owners = cache.storage.owners
    cache.storage.owners = 1
    const next = append(cache, rows, offset)
    next.storage.owners = owners
    return next
  }
  const engine = referenceEngine()
  t.ok((await fc.check(fc.asyncProperty(commands, list => isolated(engine, list, careless)))).failed)
})

test('L5 append copies only when another owner wrote past the offset', t => {
  const engine = referenceEngine()
  const bytes = BATCH * CAPACITY * WIDTH * engine.bytesPerElement
  scope(() => {
    const start = zeros(engine, [BATCH, CAPACITY, WIDTH])
    const one = append(start, rowsOf(engine, [1, 2]), 0)
    t.equal(engine.counter.copiedBytes, 0, 'a sole owner is written in place')
    t.throws(() => append(start, rowsOf(engine, [3]), 2), UsedAfterFreeError, 'a consumed cache throws')
    const fork = one.share()
    const two = append(one, rowsOf(engine, [3]), 2)
    t.equal(engine.counter.copiedBytes, 0, 'the first of two owners to write past both is in place')
    append(fork, rowsOf(engine, [4]), 2)
    t.equal(engine.counter.copiedBytes, bytes, 'the second copies once')
    append(two, rowsOf(engine, [5]), 3)
    t.equal(engine.counter.copiedBytes, bytes, 'and is out of the way afterwards')
  })
  t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
  t.end()
})
