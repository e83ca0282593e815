import fc from 'fast-check'
import test from 'tape'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { ShapeError, UsedAfterFreeError } from '../../../src/errors.ts'
import { add, scale } from '../../../src/kernel/binary.ts'
import { accumulate } from '../../../src/kernel/inPlace.ts'
import { Region } from '../../../src/tensor/region.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { empty, read, readNow, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { engines } from '../../kernel/engines.ts'
import { breaks, holds } from '../../property.ts'

type Tree = { readonly leaf: boolean } | readonly Tree[] | { readonly [name: string]: Tree }

const trees: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; leaf: Tree }>(tie => ({
  leaf: fc.record({ leaf: fc.boolean() }),
  tree: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('value', 'state', 'saved'), tie('tree'), { maxKeys: 3 }),
  ),
})).tree

test('S15 a scope frees everything but what it returns, at any depth of arrays and records', t => {
  for (const { name, make } of engines) {
    const engine = make()
    const grow = (tree: Tree, made: Tensor[]): unknown => {
      if (Array.isArray(tree)) return tree.map(item => grow(item, made))
      if ('leaf' in tree && typeof tree.leaf === 'boolean') {
        const x = tensor(engine, [2], [1, 2])
        if (tree.leaf) made.push(x)
        return tree.leaf ? x : null
      }
      return Object.fromEntries(Object.entries(tree).map(([key, branch]) => [key, grow(branch, made)]))
    }
    const live = () => engine.counter.allocated - engine.counter.freed
    holds(
      t,
      name,
      fc.property(trees, tree => {
        const before = live()
        const kept: Tensor[] = []
        const outer = new Region()
        outer.run(() => scope(() => grow(tree, kept)))
        const during = live() === before + kept.length && kept.every(x => x.live)
        outer.close()
        return during && live() === before && kept.every(x => !x.live)
      }),
      { numRuns: 50 },
    )
  }
  t.end()
})

test('S15 a scope whose body throws frees everything', t => {
  const engine = referenceEngine()
  const fails = (freesAll: <T>(body: () => T) => T) =>
    fc.property(fc.nat(5), fc.nat(5), (outside, inside) => {
      const before = engine.counter.allocated - engine.counter.freed
      try {
        freesAll(() => {
          for (let i = 0; i < outside; i++) tensor(engine, [1], [i])
          return scope(() => {
            for (let i = 0; i <= inside; i++) tensor(engine, [1], [i])
            throw new ShapeError('on purpose')
          })
        })
      } catch (error) {
        return error instanceof ShapeError && engine.counter.allocated - engine.counter.freed === before
      }
      return false
    })
  holds(t, 'scopes', fails(scope))
  breaks(
    t,
    'no scope outside',
    fails(body => body()),
  )
  t.end()
})

test('a tensor used after it was freed throws, naming itself and the remedy', t => {
  const engine = referenceEngine()
  const kept: Tensor[] = []
  scope(() => {
    kept.push(tensor(engine, [2, 3], [1, 2, 3, 4, 5, 6]))
  })
  const [x] = kept
  if (x === undefined) throw new RangeError('nothing kept')
  const uses: readonly (() => unknown)[] = [
    () => read(x),
    () => readNow(x),
    () => x.share(),
    () => scale(x, 2),
    () => x.storage,
  ]
  for (const use of uses) {
    t.throws(() => scope(use), UsedAfterFreeError)
    t.throws(
      () => scope(use),
      /shape \[2,3\].*return it from the scope, name it in `saved`, fork the state, or read it/,
    )
  }
  t.doesNotThrow(() => x.release(), 'a second release does nothing')
  t.equal(engine.counter.allocated - engine.counter.freed, 0)
  t.end()
})

test('a scope stays open for no promise', t => {
  t.throws(() => scope(() => Promise.resolve(1)), /scope is synchronous/)
  t.end()
})

test('storages are counted: views share one, the last owner frees it', t => {
  const engine = referenceEngine()
  holds(
    t,
    'any order of releases',
    fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), order =>
      scope(() => {
        const before = engine.counter.freed
        const x = tensor(engine, [2, 3], [1, 2, 3, 4, 5, 6])
        const views = [x, x.share(), x.share([3, 2]), x.share([6])]
        return order.every((at, i) => {
          const alive = engine.counter.freed === before
          views[at]?.release()
          return alive && engine.counter.freed === (i === 3 ? before + 1 : before)
        })
      }),
    ),
  )
  scope(() => {
    const x = tensor(engine, [2], [1, 2])
    t.throws(() => x.share([3]), ShapeError, 'a view has the same number of elements')
    t.throws(() => tensor(engine, [2], [1]), ShapeError)
  })
  t.equal(engine.counter.allocated - engine.counter.freed, 0)
  t.end()
})

test('in place for a sole owner, a copy otherwise; a consumed tensor throws', async t => {
  for (const { name, make } of engines) {
    const engine = make()
    const numbers = scope(() => {
      const x = tensor(engine, [2], [1, 2])
      const storage = x.storage
      const y = accumulate(x, tensor(engine, [2], [10, 20]))
      t.equal(y.storage, storage, `${name}: a sole owner keeps its storage`)
      t.throws(() => read(x), UsedAfterFreeError, `${name}: the consumed one is dead`)
      t.equal(engine.counter.copiedBytes, 0, `${name}: nothing was copied`)
      const fork = y.share()
      const z = accumulate(y, tensor(engine, [2], [100, 200]))
      t.notEqual(z.storage, storage, `${name}: with two owners it is copied`)
      t.equal(engine.counter.copiedBytes, 2 * engine.bytesPerElement, `${name}: the copy is counted`)
      return [read(fork), read(z)]
    })
    const [fork, z] = await Promise.all(numbers)
    t.deepEqual(Array.from(fork ?? []), [11, 22], `${name}: the fork keeps its numbers`)
    t.deepEqual(Array.from(z ?? []), [111, 222])
    t.equal(engine.counter.allocated - engine.counter.freed, 0)
  }
  t.end()
})

test('fresh storages of the reference hold NaN, so that an unwritten result shows', t => {
  const engine = referenceEngine()
  scope(() => t.ok(Array.from(readNow(add(empty(engine, [2]), tensor(engine, [2], [1, 2])))).every(Number.isNaN)))
  t.end()
})
