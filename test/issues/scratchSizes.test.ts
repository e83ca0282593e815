/** Sizes of scratch memory beyond 4 GiB were taken modulo 2^32: kernels then wrote over other tensors. */
import test from 'tape'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { Heap, LINE } from '../../src/engine/wasm/heap.ts'
import { Memory, OutOfMemoryError } from '../../src/engine/wasm/memory.ts'
import { ShapeError } from '../../src/errors.ts'
import { convolution, convolutionInputGradient, convolutionWeightGradient } from '../../src/kernel/convolution.ts'
import { maxPool } from '../../src/kernel/pool.ts'
import { scope } from '../../src/tensor/scope.ts'
import { empty, readNow, tensor } from '../../src/tensor/tensor.ts'

test('scratch memory that cannot be is an error, not less of it', t => {
  // No thread starts; each would need 64 MiB.
  const engine = wasmEngine({ threads: 64, splitFrom: Infinity })
  scope(() => {
    const [x, y] = [empty(engine, [1, 16, 988, 988]), empty(engine, [1, 1, 988, 988])]
    const padding = 1
    t.throws(() => convolution(x, empty(engine, [1, 16, 3, 3]), null, { padding }), OutOfMemoryError)
    t.throws(() => convolutionWeightGradient(y, x, [3, 3], { padding }), OutOfMemoryError)
    t.throws(() => convolutionInputGradient(x, empty(engine, [16, 1, 3, 3]), [988, 988], { padding }), OutOfMemoryError)
    t.throws(() => convolution(x, empty(engine, [16, 16, 3, 3]), null, { padding: 2, dilation: 2 }), OutOfMemoryError)
    const small = empty(engine, [1, 16, 20, 20])
    t.doesNotThrow(() => convolution(small, empty(engine, [1, 16, 3, 3]), null, { padding }), 'negative control')
  })
  engine.close()
  t.end()
})

test('borders too large for memory, or to be counted at all, are errors; those of few places are computed', t => {
  const engine = wasmEngine()
  scope(() => {
    const [x, weight] = [tensor(engine, [1, 1, 4, 4], new Float32Array(16).fill(1)), tensor(engine, [1, 1, 1, 1], [2])]
    // 40001 x 40001 places: in bytes, modulo 2^32, they would fit.
    const large = { padding: 20000, stride: 20000 }
    t.throws(() => convolution(x, weight, null, large), OutOfMemoryError)
    t.throws(() => convolutionWeightGradient(empty(engine, [1, 1, 3, 3]), x, [1, 1], large), OutOfMemoryError)
    const narrow = { padding: 2000, stride: 2000 }
    const [some] = readNow(convolution(x, weight, null, narrow)).filter(value => value !== 0)
    t.equal(some, 2, 'negative control: a large border that fits')
    const dy = tensor(engine, [1, 1, 3, 3], new Float32Array(9).fill(1))
    t.throws(() => convolutionInputGradient(dy, weight, [4, 4], { padding: 12000, stride: 12000 }), OutOfMemoryError)
    const dx = readNow(convolutionInputGradient(dy, weight, [4, 4], narrow))
    t.deepEqual([...dx], [2, ...new Array(15).fill(0)], 'negative control: strides whose phases fit')
    for (const beyond of [{ padding: 2 ** 16 }, { stride: 2 ** 16 }, { stride: 2 ** 32 }, { dilation: 2 ** 16 }])
      t.throws(
        () => convolution(x, weight, null, beyond),
        (error: unknown) => error instanceof ShapeError && error.message.includes('more than 2^31 places'),
        JSON.stringify(beyond),
      )
    t.throws(() => maxPool(x, { window: 2 ** 31, padding: 2 ** 30 }), ShapeError, 'of pools too')
    t.deepEqual([...readNow(maxPool(x, { window: 2000, padding: 1000 }))], [1])
  })
  t.end()
})

test('scratch memory of a size that is none', t => {
  const memory = new Memory(2 ** 20)
  memory.scratch(100)
  for (const bytes of [-1, -(2 ** 31), Number.NaN, 2 ** 32, 2 ** 33])
    t.throws(() => memory.scratch(bytes), OutOfMemoryError, `${bytes} bytes`)
  const heap = new Heap(LINE, bytes => bytes)
  t.deepEqual([heap.allocate(-1), heap.allocate(Number.NaN)], [null, null])
  t.ok(heap.allocate(0), 'none at all is a size')
  t.end()
})
