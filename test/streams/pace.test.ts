import { spawn } from 'node:child_process'
import { fromEvent, Observable, takeUntil } from 'rxjs'
import test from 'tape'
import { pure } from '../../src/machine.ts'
import { batches } from '../../streams/batches.ts'
import { feedback } from '../../streams/feedback.ts'
import { loop } from '../../streams/loop.ts'
import { viaMessage } from '../../streams/macrotask.ts'
import { counted, settle, whole } from '../laws/streams.ts'

/** Holds the processor as a kernel does. */
const compute = (milliseconds: number): void => {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}
const STEP = 0.5
const PATIENCE = 2000
/** A step of half a millisecond, for ever, or for two seconds if nobody stops it: then the loop was starved. */
const endless = () => {
  const since = performance.now()
  return (result: number): number => {
    compute(STEP)
    if (performance.now() - since > PATIENCE) throw new Error('starved')
    return result
  }
}
/** One step and 20 ms were asked for; the rest is for a busy machine. A starved loop takes 2,000 ms. */
const PROMPT = 20 + 20 + STEP + 400

const runs: Readonly<Record<string, () => Observable<unknown>>> = {
  'feedback, synchronous reads': () => feedback(counted(Number.POSITIVE_INFINITY, { read: endless() }).options),
  'feedback, reads that are promises already kept': () => {
    const step = endless()
    return feedback(counted(Number.POSITIVE_INFINITY, { read: async r => step(r) }).options)
  },
  'batches through a synchronous loop': () => batches(i => i).pipe(loop(pure(endless()))),
  '300 feedbacks side by side': () => {
    const read = endless()
    return new Observable(out => {
      for (let i = 0; i < 300; i++)
        out.add(feedback(counted(Number.POSITIVE_INFINITY, { read }).options).subscribe(out))
    })
  },
}

const stopped = (stream: Observable<unknown>, stop: (cancel: () => void) => void) =>
  new Promise<{ readonly after: number; readonly later: number; readonly error: unknown }>(resolve => {
    const began = performance.now()
    let values = 0
    let error: unknown = null
    const subscription = stream.subscribe({
      next: () => values++,
      error: e => {
        error = e
      },
    })
    stop(async () => {
      subscription.unsubscribe()
      const after = performance.now() - began
      const then = values
      await settle()
      resolve({ after, later: values - then, error })
    })
  })

for (const [name, run] of Object.entries(runs))
  test(`S10 a timer stops a free run within a step and 20 ms: ${name}`, async t => {
    const { after, later, error } = await stopped(run(), cancel => setTimeout(cancel, 20))
    t.ok(after < PROMPT, `after ${after.toFixed(1)} ms`)
    t.same([later, error], [0, null])
    t.end()
  })

test('S10 AbortSignal.timeout stops a free run', async t => {
  const began = performance.now()
  const aborted$ = fromEvent(AbortSignal.timeout(20), 'abort')
  const { ends } = await whole(
    feedback(counted(Number.POSITIVE_INFINITY, { read: endless() }).options).pipe(takeUntil(aborted$)),
  )
  t.ok(performance.now() - began < PROMPT)
  t.same(ends, ['complete'])
  t.end()
})

test('S10 SIGINT reaches a free run', { skip: process.platform === 'win32' }, async t => {
  const { later, error } = await stopped(
    feedback(counted(Number.POSITIVE_INFINITY, { read: endless() }).options),
    cancel => {
      process.once('SIGINT', cancel)
      spawn('sh', ['-c', `sleep 0.1; kill -INT ${process.pid}`])
    },
  )
  t.same([later, error], [0, null])
  t.end()
})

test('control: a loop that yields microtasks only starves the timer', async t => {
  const read = endless()
  const starving = new Observable<number>(out => {
    const run = async () => {
      for (let i = 0; i < 400 && !out.closed; i++) out.next(await read(i))
    }
    void run()
  })
  const { after } = await stopped(starving, cancel => setTimeout(cancel, 20))
  t.ok(after >= 400 * STEP, `after ${after.toFixed(1)} ms, when all was done`)
  t.end()
})

test('S9 2,000 concurrent runs are served in turn', async t => {
  const order: number[] = []
  const length = 20
  await Promise.all(
    Array.from({ length: 2000 }, async (_, id) => {
      const read = (result: number): number => {
        order.push(id)
        return result
      }
      const { values } = await whole(feedback(counted(length, { read }).options))
      if (values.length !== length) t.fail(`run ${id} made ${values.length} values`)
    }),
  )
  t.equal(order.length, 2000 * length)
  const firsts = new Set(order.slice(0, 2000))
  t.equal(firsts.size, 2000, 'each made its first step before any made its second')
  t.end()
})

test('the browser path: messages run in order, one a macrotask, and can be taken back', async t => {
  const { port1, port2 } = new MessageChannel()
  const schedule = viaMessage({ port1, port2 })
  const log: string[] = []
  schedule(() => log.push('a'))
  schedule(() => log.push('b')).unsubscribe()
  schedule(() => log.push('c'))
  void Promise.resolve().then(() => log.push('microtask'))
  await new Promise<void>(resolve => schedule(resolve))
  t.same(log, ['microtask', 'a', 'c'])
  const scheduler = { now: () => performance.now(), schedule }
  t.equal((await whole(feedback({ ...counted(1000).options, scheduler }))).values.length, 1000)
  port1.close()
  t.end()
})

test('overhead of a step, synchronous and plain-valued', async t => {
  const began = performance.now()
  await whole(feedback(counted(50_000).options))
  const feedbackTime = ((performance.now() - began) / 50_000) * 1000
  t.ok(feedbackTime < 50, `feedback ${feedbackTime.toFixed(2)} µs a step`)
  t.end()
})
