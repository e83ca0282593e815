/** The same bundle decodes the same tokens in Chromium as in Node, and an unsubscribe stops it there too. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { lastValueFrom, toArray } from 'rxjs'
import test from 'tape'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { tokenizerJson } from '../../operators/token/tokenizerJson.ts'
import { generate } from '../../pipelines/generate.ts'
import { everyLogits } from '../../pipelines/languageModel.ts'
import { modelOf } from '../../pipelines/model.ts'
import { openModelFiles } from '../../pipelines/modelFiles.ts'
import { download } from '../../pipelines/parameters.ts'
import { presetConfig, presets } from '../../pipelines/presets.ts'
import { encodeModelConfig } from '../../src/codec/model.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { writeSafetensors } from '../../src/format/safetensors.ts'
import { initialize } from '../../src/initialize.ts'
import { key } from '../../src/random.ts'
import { tokens } from '../../src/tensor/tokens.ts'

const here = dirname(fileURLToPath(import.meta.url))
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A small model with random weights, as files. */
const modelFiles = async (): Promise<ReadonlyMap<string, Uint8Array>> => {
  const tokenizer = trainCharacterTokenizer(['to be or not to be'])
  const config = presetConfig(presets.tiny, tokenizer.vocabularySize, 0)
  const parameters = initialize(everyLogits(modelOf(config)), tokens([0]), wasmEngine(), key(5))
  const utf8 = new TextEncoder()
  return new Map([
    ['config.json', utf8.encode(JSON.stringify(encodeModelConfig(config)))],
    ['model.safetensors', writeSafetensors(await download(parameters))],
    ['tokenizer.json', utf8.encode(tokenizerJson(tokenizer))],
  ])
}

test('Chromium decodes what Node decodes', async t => {
  if (!existsSync(CHROMIUM)) {
    t.comment(`skipped: no Chromium at ${CHROMIUM} (set CHROMIUM)`)
    t.pass('nothing to compare')
    return t.end()
  }
  const files = await modelFiles()
  const bundle = await build({
    entryPoints: [join(here, 'page.ts')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  const script = bundle.outputFiles[0]?.contents ?? new Uint8Array()
  const server = createServer(({ url = '/' }, response) => {
    const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    const file = files.get(url.replace('/model/', ''))
    const [type, body] =
      url === '/page.js'
        ? ['text/javascript', script]
        : file
          ? ['application/octet-stream', file]
          : ['text/html', '<body><script type="module" src="/page.js"></script>']
    response.writeHead(200, { 'Content-Type': type, ...isolated }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`)
    const text = await page.locator('body[data-result]').getAttribute('data-result', { timeout: 30_000 })
    const result: Readonly<Record<string, unknown>> = JSON.parse(text ?? '{}')
    const model = openModelFiles({ where: 'model', read: name => files.get(name) ?? null }, wasmEngine())
    const expected = await lastValueFrom(generate(model, 'to be', { tokens: 16, greedy: true }).pipe(toArray()))
    t.equal(result.error, undefined, 'no error in the page')
    t.deepEqual(
      result.tokens,
      expected.map(({ token }) => token),
      `the same tokens on ${result.backend}`,
    )
    t.equal(result.moved, 0, 'S10 after the unsubscribe no kernel is launched')
    t.equal(result.left, 0, 'S15 and nothing is left')
  } finally {
    await browser.close()
    server.close()
  }
  t.end()
})
