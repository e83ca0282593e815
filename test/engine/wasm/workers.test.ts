/** Life of the wasm engine's workers: they keep no process alive, end with their engine, and never hold the caller up for long. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'

const here = dirname(fileURLToPath(import.meta.url))

/** Runs a program in a process of its own with `engine`, `open` and `threadsNow`; what it printed, and the milliseconds until it was gone. */
const runProgram = (program: string, ...flags: readonly string[]) => {
  const source = `
    import { readdirSync } from 'node:fs'
    import { setTimeout as after } from 'node:timers/promises'
    import { Worker } from 'node:worker_threads'
    import { wasmEngine } from ${JSON.stringify(join(here, '../../../src/engine/wasm/engine.ts'))}
    const SIZES = { batch: 1, xBatched: false, yBatched: false, rows: 64, inner: 256, columns: 256, transposeX: false, transposeY: false }
    const open = (threads = 2) => {
      const engine = wasmEngine({ threads, splitFrom: 0 })
      const [x, y, z] = [1, 2, 3].map(() => engine.allocate(256 * 256))
      for (const operand of [x, y]) engine.primitives.fill(operand, 1, 256 * 256)
      const product = () => engine.primitives.matmul(z, x, y, SIZES)
      return { engine, product }
    }
    const threadsNow = () => readdirSync('/proc/self/task').length
    ${program}`
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--import', 'tsx', '--input-type=module', '-e', source],
    { encoding: 'utf8', timeout: 30_000, cwd: join(here, '../../..') },
  )
  if (signal !== null || stderr !== '') throw new Error(`${signal ?? ''} ${stderr}`)
  const result: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null')
  return { status, result }
}

test('a process with live engines and workers, asleep or awake, exits by itself and when told to', t => {
  const living = `
    const engines = [open(2), open(3)]
    for (const { engine, product } of engines) {
      engine.warm()
      product()
    }
    process.on('exit', () => console.log(JSON.stringify(performance.timeOrigin + performance.now())))`
  for (const [name, end] of [
    ['by itself', ''],
    ['after a pause', 'await after(100)'],
    ['by process.exit', 'process.exit(0)'],
  ] as const) {
    const { status, result } = runProgram(`${living}\n${end}`)
    const late = performance.timeOrigin + performance.now() - Number(result)
    t.equal(status, 0, name)
    t.ok(late < 2000, `${name}: gone ${late.toFixed(0)} ms after its last line`)
  }
  t.end()
})

test('workers end with their engine: by close, and when nobody holds it', t => {
  if (!existsSync('/proc/self/task')) {
    t.comment('skipped: no /proc to count threads in')
    return t.end()
  }
  const { result } = runProgram(
    `
    const base = threadsNow()
    const most = []
    const settled = async () => {
      for (let i = 0; i < 100 && threadsNow() > base; i++) await after(20)
      return threadsNow() - base
    }
    for (let i = 0; i < 20; i++) {
      const { engine, product } = open(3)
      engine.warm()
      product()
      most.push(threadsNow() - base)
      engine.close()
      product()
    }
    const closed = await settled()
    const forget = () => { for (let i = 0; i < 5; i++) { const { engine, product } = open(2); engine.warm(); product() } }
    forget()
    const held = threadsNow() - base
    for (let i = 0; i < 50 && threadsNow() > base; i++) { gc(); await after(20) }
    console.log(JSON.stringify({ started: most[0], closed, held, forgotten: threadsNow() - base }))`,
    '--expose-gc',
  )
  t.deepEqual(result, { started: 2, closed: 0, held: 5, forgotten: 0 })
  t.end()
})

test('a worker that dies leaves an engine of one thread that says so', t => {
  const { result } = runProgram(`
    const { Worker: Thread } = process.getBuiltinModule('node:worker_threads')
    const started = []
    class Mortal extends Thread { constructor(...rest) { super(...rest); started.push(this) } }
    const { getBuiltinModule } = process
    process.getBuiltinModule = id => id === 'node:worker_threads' ? { Worker: Mortal } : getBuiltinModule(id)
    const { engine, product } = open(2)
    engine.warm()
    await Promise.all(started.map(thread => thread.terminate()))
    const before = performance.now()
    product()
    console.log(JSON.stringify({ threads: engine.threads, why: engine.fallbackReason, usable: performance.now() - before < 1000 }))`)
  const { threads, why, usable } = Object(result)
  t.deepEqual({ threads, usable }, { threads: 1, usable: true })
  t.match(String(why), /one thread: a worker ended: exit code 1/)
  t.end()
})

test('with every processor busy the caller does what late workers do not begin', t => {
  const { result } = runProgram(`
    const alone = open(1), shared = open(3)
    shared.engine.warm()
    const busy = Array.from({ length: 4 }, () => new Worker('for (;;);', { eval: true, execArgv: [] }))
    await Promise.all(busy.map(thread => new Promise(resolve => thread.on('online', resolve))))
    const time = ({ product }) => { const start = performance.now(); for (let i = 0; i < 300; i++) product(); return performance.now() - start }
    const [one, three] = [[], []]
    for (let i = 0; i < 3; i++) { one.push(time(alone)); three.push(time(shared)) }
    const best = times => Math.min(...times)
    await Promise.all(busy.map(thread => thread.terminate()))
    console.log(JSON.stringify({ one: best(one), three: best(three) }))`)
  const { one, three } = Object(result)
  const [milliseconds, limit] = [Number(three), 3 * Number(one) + 300]
  t.ok(
    milliseconds < limit,
    `300 products: ${milliseconds.toFixed(0)} ms on three threads, ${Number(one).toFixed(0)} on one`,
  )
  t.end()
})
