/** Device memory of the gpu engine on WebGPU: what is bound, what is read back, what is too large, what is given back. */
import test from 'tape'
import { gpuEngine } from '../../../src/engine/gpu/engine.ts'
import { testAdapter } from './adapter.ts'
import { storageOf } from './support.ts'

const found = await testAdapter()
const settle = () => new Promise(resolve => setTimeout(resolve, 20))
const open = () => gpuEngine({ mode: 'webgpu' })

if (typeof found === 'string')
  test('device memory', t => {
    t.comment(`skipped: ${found}`)
    t.pass('nothing to compute on')
    t.end()
  })
else {
  test('host arrays of two lengths at one place of the arena are bound by their own lengths', async t => {
    const engine = open()
    // Sums of rows by id: the ids are a host array, and 1,030 and 1,100 rows of x take buffers of one size.
    for (const count of [1030, 1030, 1100, 1100]) {
      const x = storageOf(
        engine,
        Float32Array.from({ length: count }, (_, i) => i),
      )
      const out = engine.allocate(5)
      const ids = Int32Array.from({ length: count }, (_, i) => i % 5)
      engine.primitives.scatterAdd(out, x, ids, 5, 1)
      const sums = new Array<number>(5).fill(0)
      ids.forEach((id, i) => {
        sums[id] += i
      })
      t.deepEqual([...(await engine.read(out, 5))], sums, `${count} rows`)
      engine.free(x)
      engine.free(out)
      await settle()
    }
    await engine.destroy()
    t.end()
  })
}
