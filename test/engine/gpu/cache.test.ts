/** Compiled kernels are kept by recency, and make room where memories run out. */
import test from 'tape'
import { KernelCache } from '../../../src/engine/gpu/cache.ts'

const GRID = [1] as const

/** A cache over kernels that need one of `memories` each; what it compiled and how many are alive. */
const toy = (memories: number) => {
  const state = { compiled: [] as string[], alive: 0, most: 0 }
  const cache = new KernelCache(({ body }) => {
    let built = false
    return {
      run: () => {
        if (!built && state.alive >= memories) throw new RangeError('could not allocate memory')
        if (!built) {
          built = true
          state.compiled.push(body)
          state.most = Math.max(state.most, ++state.alive)
        }
        return new Float32Array(1)
      },
      destroy: () => {
        if (built) state.alive--
        built = false
      },
    }
  })
  const run = (key: string) => cache.run(key, () => ({ body: key }), GRID, [])
  return { state, run }
}

test('gpu kernels: one compilation a key', t => {
  const { state, run } = toy(10)
  for (const key of ['a', 'b', 'a', 'a', 'b']) run(key)
  t.deepEqual(state.compiled, ['a', 'b'])
  t.end()
})

test('gpu kernels: at most 1,024, the most recently used', t => {
  const { state, run } = toy(1e9)
  for (let i = 0; i < 3000; i++) {
    run(`k${i}`)
    run('hot')
  }
  t.ok(state.alive <= 1024, `${state.alive} alive`)
  t.equal(state.compiled.filter(key => key === 'hot').length, 1, 'a kernel in use stays')
  t.end()
})

test('gpu kernels: memories that run out are made free', t => {
  const { state, run } = toy(100)
  for (let i = 0; i < 300; i++) run(`k${i}`)
  t.equal(state.compiled.length, 300, 'every kernel ran')
  t.equal(state.most, 100, 'with the memories there are')
  const none = toy(8)
  t.throws(
    () => {
      for (let i = 0; i < 300; i++) none.run(`k${i}`)
    },
    RangeError,
    'too few for any model is an error',
  )
  t.end()
})
