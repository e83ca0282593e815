// Encoding by gpt-tokenizer with GPT-2's vocabulary.
import { readFileSync } from 'node:fs'
import { answer, need } from './answer.mjs'

const { version } = JSON.parse(
  readFileSync(new URL('../node_modules/gpt-tokenizer/package.json', import.meta.url), 'utf8'),
)
const importing = performance.now()
const { encode } = await need('gpt-tokenizer/encoding/r50k_base')
const imported = performance.now() - importing
let text = ''

const timed = () => {
  const start = performance.now()
  const ids = encode(text)
  return { ids, milliseconds: performance.now() - start }
}

await answer(`gpt-tokenizer ${version}`, {
  // Its first encoding, and the import before it.
  load: ({ file }) => {
    text = readFileSync(file, 'utf8')
    return { ...timed(), imported }
  },
  time: () => ({ milliseconds: timed().milliseconds }),
})
