/** Threads in Chromium: one on the page's own thread, which may not wait; two in a worker; the bits of Node in both. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import test from 'tape'
import { sameBits } from '../engine/wasm/support.ts'
import { report } from './threadsPage.ts'

const here = dirname(fileURLToPath(import.meta.url))
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

test('Chromium: one thread in a page, two in a worker, the bits of Node', async t => {
  if (!existsSync(CHROMIUM)) {
    t.comment(`skipped: no Chromium at ${CHROMIUM} (set CHROMIUM)`)
    t.pass('nothing to compare')
    return t.end()
  }
  const bundle = await build({
    entryPoints: [join(here, 'threadsPage.ts')],
    bundle: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    write: false,
  })
  const script = bundle.outputFiles[0]?.contents ?? new Uint8Array()
  const server = createServer(({ url }, response) => {
    const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    const [type, body] =
      url === '/page.js' ? ['text/javascript', script] : ['text/html', '<body><script src="/page.js"></script>']
    response.writeHead(200, { 'Content-Type': type, ...isolated }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run'],
  })
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`)
    const text = await page.locator('body[data-result]').getAttribute('data-result', { timeout: 30_000 })
    const result = JSON.parse(text ?? '{}')
    const expected = (await report()).values
    t.equal(result.page.threads, 1, `page: ${result.page.fallbackReason}`)
    t.match(result.page.fallbackReason, /may not wait/)
    t.ok(sameBits(result.page.values, expected), 'the bits of Node in the page')
    t.equal(result.worker.error, undefined)
    t.equal(result.worker.threads, 2, `worker: ${result.worker.fallbackReason}`)
    t.ok(result.worker.up, 'both threads are up')
    t.ok(sameBits(result.worker.values, expected), 'the bits of Node in the worker')
  } finally {
    await browser.close()
    server.close()
  }
  t.end()
})
