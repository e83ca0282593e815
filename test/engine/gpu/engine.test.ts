/** Handles, errors and counters of the gpu engine. */
import test from 'tape'
import { gpuEngine } from '../../../src/engine/gpu/engine.ts'
import { EngineError, InputError, UsedAfterFreeError } from '../../../src/errors.ts'
import { modes, storageOf } from './support.ts'

for (const mode of modes) {
  test(`gpu engine, mode ${mode}: handles`, async t => {
    const engine = gpuEngine({ mode })
    const { primitives } = engine
    const x = storageOf(engine, [1, 2, 3])
    const y = storageOf(engine, [10, 20, 30])
    const copy = engine.allocate(3)
    primitives.copy(copy, x, 3)
    primitives.accumulate(x, y, 1, 3)
    t.deepEqual([...(await engine.read(x, 3))], [11, 22, 33], 'in place: a new handle in the same slot')
    t.deepEqual([...(await engine.read(copy, 3))], [1, 2, 3], 'the copy keeps its numbers')
    t.deepEqual([...(await engine.read(x, 2))], [11, 22], 'read takes the first numbers')

    const host = [7, 8, 9]
    engine.write(y, host)
    host[0] = 0
    const data = await engine.read(y, 3)
    t.deepEqual([...data], [7, 8, 9], 'write copies at once')
    data[0] = 0
    t.deepEqual([...(await engine.read(y, 3))], [7, 8, 9], 'what is read is a copy')

    const out = engine.allocate(3)
    t.deepEqual([...(await engine.read(out, 3))], [0, 0, 0], 'unwritten numbers are zeros')
    primitives.binary('add', out, x, y, { shape: [3], x: [1], y: [1] })
    engine.free(x)
    engine.free(y)
    t.deepEqual([...(await engine.read(out, 3))], [18, 30, 42], 'operands freed after the dispatch are still read')
    t.throws(() => primitives.unary('exp', out, x, 3), UsedAfterFreeError, 'a freed storage is no operand')
    t.throws(() => engine.free(x), UsedAfterFreeError, 'nor freed twice')

    engine.free(out)
    engine.free(copy)
    t.equal(engine.counter.allocated, 4, 'S15 four storages made')
    t.equal(engine.counter.freed, 4, 'S15 and freed')
    t.equal(engine.counter.liveBytes, 0, 'no bytes live')
    t.equal(engine.counter.peakBytes, 48, 'all four at the peak')
    await engine.destroy()
  })

  test(`gpu engine, mode ${mode}: errors`, async t => {
    const engine = gpuEngine({ mode })
    const rejections: unknown[] = []
    const listen = (error: unknown): void => {
      rejections.push(error)
    }
    process.on('unhandledRejection', listen)
    const x = storageOf(engine, [1, 2])
    const out = engine.allocate(2)
    const failing = () => engine.primitives.fill(out, 1, mode === 'webgpu' ? 2 ** 40 : Number.NaN)
    const fine = () => engine.primitives.unary('negate', out, x, 2)
    if (mode === 'webgpu') {
      const failure = async (): Promise<unknown> => {
        try {
          return await engine.read(out, 2)
        } catch (error) {
          return error
        }
      }
      t.doesNotThrow(failing, 'what is recorded does not fail where it is dispatched')
      const first = await failure()
      t.ok(first instanceof EngineError && !first.usable, `the next read reports it: ${String(first).slice(0, 80)}`)
      t.match(String(first), /; the engine is not usable any more$/)
      t.equal(await failure(), first, 'and every read after it')
      t.throws(fine, EngineError, 'later launches fail at once')
    } else {
      t.throws(
        failing,
        (error: unknown) => error instanceof EngineError && error.usable && /The engine is usable$/.test(error.message),
        'a launch that fails throws where it is dispatched',
      )
      fine()
      t.deepEqual([...(await engine.read(out, 2))], [-1, -2], 'and leaves the engine usable')
    }
    engine.free(out)
    engine.free(x)
    t.equal(engine.counter.allocated - engine.counter.freed, 0, 'freeing still works')
    await new Promise(resolve => setTimeout(resolve, 20))
    t.equal(rejections.length, 0, 'no rejection went unhandled')
    process.off('unhandledRejection', listen)
    await engine.destroy()
  })
}

test('gpu engine: modes', t => {
  const found = gpuEngine()
  t.ok(['webasm', 'webgl2', 'webgl', 'headlessgl'].includes(found.backend), `mode gpu runs ${found.backend}`)
  t.equal(found.backend === 'webasm', found.fallbackReason !== '', 'and says why it is on the CPU')
  t.throws(() => gpuEngine({ mode: 'webgl2' }), InputError, 'webgl2 in Node is an input error')
  t.end()
})
