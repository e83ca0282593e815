/** Sizes of scratch memory beyond 4 GiB were taken modulo 2^32: kernels then wrote over other tensors. */
import test from 'tape'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { Heap, LINE } from '../../src/engine/wasm/heap.ts'
import { Memory, OutOfMemoryError } from '../../src/engine/wasm/memory.ts'
import { convolution, convolutionInputGradient, convolutionWeightGradient } from '../../src/kernel/convolution.ts'
import { scope } from '../../src/tensor/scope.ts'
import { empty } from '../../src/tensor/tensor.ts'

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
