/** Threads in Chromium: one on the page's own thread, which may not wait; two in a worker; one everywhere without isolation; always the bits of Node. */
import test from 'tape'
import { sameBits } from '../engine/wasm/support.ts'
import { noChromium, runPage } from './chromium.ts'
import { report } from './threadsPage.ts'

test('Chromium: one thread in a page, two in a worker, the bits of Node', async t => {
  const why = noChromium()
  if (why !== '') {
    t.comment(`skipped: ${why}`)
    return t.end()
  }
  const result = await runPage('threadsPage.ts', { format: 'iife' })
  const expected = (await report()).values
  t.equal(result.page.threads, 1, `page: ${result.page.fallbackReason}`)
  t.match(result.page.fallbackReason, /may not wait/)
  t.ok(sameBits(result.page.values, expected), 'the bits of Node in the page')
  t.equal(result.worker.error, undefined)
  t.equal(result.worker.threads, 2, `worker: ${result.worker.fallbackReason}`)
  t.ok(result.worker.up, 'both threads are up')
  t.ok(sameBits(result.worker.values, expected), 'the bits of Node in the worker')
  const plain = await runPage('threadsPage.ts', { format: 'iife', isolated: false })
  for (const place of ['page', 'worker']) {
    const { threads, fallbackReason, values, error } = plain[place]
    t.equal(error, undefined)
    t.equal(threads, 1, `${place} of a page that is not isolated: ${fallbackReason}`)
    t.match(fallbackReason, /no SharedArrayBuffer/)
    t.ok(sameBits(values, expected), 'the bits of Node')
  }
  t.end()
})
