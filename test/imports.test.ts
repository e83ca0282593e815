import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { folders, importsOf, violations } from './laws/imports.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const sourcesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter(name => name.endsWith('.ts') && !name.endsWith('.generated.ts'))
    // AssemblyScript: another language, compiled apart.
    .filter(name => !name.startsWith('src/engine/wasm/assembly/'))

test('imports run one way: src <- operators, src <- streams, all <- pipelines', t => {
  for (const folder of folders) {
    const files = sourcesOf(folder)
    const broken = files.flatMap(path => violations(path, readFileSync(join(root, path), 'utf8')))
    t.ok(files.length > 0, `${folder}: ${files.length} files`)
    t.deepEqual(broken, [], `${folder} breaks no rule`)
  }
  t.end()
})

test('negative control: made-up sources that break a rule are found', t => {
  const broken: readonly (readonly [string, string])[] = [
    ['src/a.ts', "import { map } from 'rxjs'"],
    ['src/a.ts', "import { linear } from '../operators/linear.ts'"],
    ['src/a.ts', "import type { Linear } from '../operators/linear.ts'"],
    ['src/a.ts', "export { linear } from '../operators/linear.ts'"],
    ['src/a.ts', "const lazy = () => import('../streams/loop.ts')"],
    ['src/a.ts', "import { readFileSync } from 'node:fs'"],
    ['src/a.ts', "import { readFileSync } from 'fs'"],
    ['src/a.ts', "import { GPU } from 'gpu.js'"],
    ['src/a.ts', "import '../pipelines/gpt.ts'"],
    ['src/a.ts', "import { x } from './b'"],
    ['src/a.ts', 'const load = (name: string) => import(name)'],
    ['operators/a.ts', "import { Observable } from 'rxjs'"],
    ['operators/a.ts', "import { map } from 'rxjs/operators'"],
    ['operators/a.ts', "import { loop } from '../streams/loop.ts'"],
    ['operators/norm/a.ts', "import { gpt } from '../../pipelines/gpt.ts'"],
    ['operators/a.ts', 'const x = Math.random()'],
    ['operators/a.ts', 'const now = Date.now()'],
    ['operators/a.ts', 'const now = performance.now()'],
    ['streams/a.ts', "import { linear } from '../operators/linear.ts'"],
    ['streams/a.ts', "import { GPU } from 'gpu.js'"],
    ['streams/a.ts', "import { setImmediate } from 'node:timers'"],
    ['pipelines/a.ts', "import { GPU } from 'gpu.js'"],
    ['pipelines/a.ts', "import { holds } from '../test/property.ts'"],
    ['pipelines/a.ts', 'const f = (x: any) => x'],
    ['pipelines/a.ts', 'const xs: Array<any> = []'],
    ['pipelines/a.ts', 'const y = x as any'],
    ['pipelines/a.ts', 'export default 1'],
  ]
  for (const [path, source] of broken) t.ok(violations(path, source).length > 0, `${path}: ${source}`)
  t.end()
})

test('what is allowed is not found', t => {
  const clean: readonly (readonly [string, string])[] = [
    ['src/a.ts', "// import 'rxjs'\n/* Math.random() any */\nconst text = 'Date.now(): any'"],
    ['src/engine/gpu/a.ts', "import { GPU } from 'gpu.js'"],
    ['src/codec/a.ts', "import * as t from 'io-ts'\nimport { pipe } from 'fp-ts/lib/function.js'"],
    ['operators/a/b.ts', "import { x } from '../c.ts'\nimport { y } from '../../src/d.ts'"],
    [
      'streams/a.ts',
      "import { map } from 'rxjs'\nimport { x } from '../src/machine.ts'\nconst now = performance.now()",
    ],
    ['pipelines/cli/a.ts', "import { readFile } from 'node:fs/promises'\nimport { loop } from '../../streams/loop.ts'"],
    ['src/a.ts', 'const any = (xs: boolean[]) => xs.some(x => x)\nconst found = any([true])'],
  ]
  for (const [path, source] of clean) t.deepEqual(violations(path, source), [], path)
  t.deepEqual(importsOf("import type { A } from 'a'\nexport * from 'b'\nimport 'c'\nawait import('d')"), [
    'a',
    'b',
    'c',
    'd',
  ])
  t.end()
})
