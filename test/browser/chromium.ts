/** A page in headless Chromium and what it leaves in `data-result` of its body. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Format } from 'esbuild'
import { chromium } from 'playwright-core'

const here = dirname(fileURLToPath(import.meta.url))
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
/** With these a page gets shared memory. */
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }

export interface PageOptions {
  readonly format?: Format
  /** Served under `/files/`. */
  readonly files?: ReadonlyMap<string, Uint8Array>
  /** Chromium's, beside those of every page; `--disable-gpu` unless said. */
  readonly flags?: readonly string[]
  /** Whether it is isolated from other origins, as it is unless said: only then has it SharedArrayBuffer. */
  readonly isolated?: boolean
  /** Milliseconds, 30,000 unless said. */
  readonly timeout?: number
}

/** Why no page runs here, or nothing. */
export const noChromium = (): string => (existsSync(CHROMIUM) ? '' : `no Chromium at ${CHROMIUM} (set CHROMIUM)`)

/** Bundles a file of this folder, runs it in a page and parses what it left. */
export const runPage = async (
  entry: string,
  { format = 'esm', files = new Map(), flags = ['--disable-gpu'], isolated = true, timeout = 30_000 }: PageOptions = {},
) => {
  const bundle = await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    minify: true,
    format,
    platform: 'browser',
    write: false,
  })
  const script = bundle.outputFiles[0]?.contents ?? new Uint8Array()
  const html = `<body><script ${format === 'esm' ? 'type="module" ' : ''}src="/page.js"></script>`
  const server = createServer(({ url = '/' }, response) => {
    const file = files.get(url.replace('/files/', ''))
    const [type, body] =
      url === '/page.js' ? ['text/javascript', script] : file ? ['application/octet-stream', file] : ['text/html', html]
    response.writeHead(200, { 'Content-Type': type, ...(isolated ? ISOLATED : {}) }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] })
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`)
    const text = await page.locator('body[data-result]').getAttribute('data-result', { timeout })
    return JSON.parse(text ?? '{}')
  } finally {
    await browser.close()
    server.close()
  }
}
