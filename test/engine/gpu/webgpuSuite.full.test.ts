/** The suite of all engines on WebGPU in Node: every test file that goes through the engines, or through the modes of gpu.js, runs once more for it alone. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { parseTap } from '../../tap.ts'
import { testAdapter } from './adapter.ts'

const tests = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const GOES_THROUGH =
  /^import \{[^}]*(\bengines\b[^}]*\} from '[^']*\/engines|\bmodes\b[^}]*\} from '[^']*\/support)\.ts'/m

const files = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts') && !name.endsWith('.full.test.ts'))
  .filter(name => GOES_THROUGH.test(readFileSync(join(tests, name), 'utf8')))
  .sort()

const found = await testAdapter()

test('files of every engine are found', t => {
  for (const name of ['kernel/k1', 'operators/everyEngine', 'src/tensor/append', 'engine/gpu/fused'])
    t.ok(files.includes(join(`${name}.test.ts`)), name)
  t.end()
})

for (const file of files)
  test(`the laws of every engine hold on WebGPU: ${file}`, t => {
    if (typeof found === 'string') {
      t.comment(`skipped: ${found}; Debian's chromium carries a software one`)
      return t.end()
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', join(tests, file)], {
      encoding: 'utf8',
      env: { ...process.env, ENGINE: 'gpu webgpu' },
    })
    const { passed, failures } = parseTap(stdout)
    t.equal(status, 0, `${passed} assertions${status === 0 ? '' : `\n${failures.join('\n')}\n${stderr}`}`)
    t.ok(passed > 0 && stdout.includes('webgpu'), `and there are some, on ${found.name}`)
    t.end()
  })
