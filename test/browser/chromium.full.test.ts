/** The same bundle decodes the same tokens in Chromium as in Node, and an unsubscribe stops it there too. */
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
import { noChromium, runPage } from './chromium.ts'

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
  const why = noChromium()
  if (why !== '') {
    t.comment(`skipped: ${why}`)
    return t.end()
  }
  const files = await modelFiles()
  const result: Readonly<Record<string, unknown>> = await runPage('page.ts', { files })
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
  t.end()
})
