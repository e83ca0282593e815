/** The README's code runs, as a user would run it, and its numbers are those that were measured. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const samples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)

test('README samples compile and run', t => {
  t.ok(samples.length >= 4, `${samples.length} samples`)
  t.ok(existsSync(join(root, 'dist', 'src', 'index.js')), 'the package is built')
  // Inside the package, so that `fluxion` is found by its own name.
  const folder = mkdtempSync(join(root, '.readme-'))
  const node = (...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 120_000 })
  try {
    const files = samples.map((code, i) => {
      const file = join(folder, `sample-${i}.mts`)
      writeFileSync(file, code)
      return file
    })
    const options = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { noEmit: true, rootDir: root },
      include: [],
      files,
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
    const checked = node(join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder)
    t.equal(checked.status, 0, `samples are type-correct ${checked.stdout}`)
    for (const [i, file] of files.entries()) {
      const ran = node('--import', 'tsx', file)
      t.equal(ran.status, 0, `sample ${i} runs ${ran.stderr}`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  t.end()
})

test('README numbers are those of bench/results.json', t => {
  const results: readonly Result[] = JSON.parse(readFileSync(join(root, 'bench', 'results.json'), 'utf8'))
  const section = readme.slice(readme.indexOf('## Numbers'), readme.indexOf('## Contents'))
  const rows = [...section.matchAll(/^\| `([\w-]+)` \|(.*)\|$/gm)].map(([, name = '', cells = '']) => ({
    name,
    cells: cells.split('|').map(cell => cell.trim()),
  }))
  t.ok(rows.length >= 5, `${rows.length} rows`)
  for (const { name, cells } of rows) {
    const result = results.find(row => row.name === name)
    const [value = '', , ratio = ''] = cells
    t.equal(Number(value.split(' ')[0]), Number(result?.value.toPrecision(3)), `${name}: ${value}`)
    t.equal(Number(ratio), Number(result?.ratio?.toFixed(2)), `${name}: ratio ${ratio}`)
  }
  t.end()
})

interface Result {
  readonly name: string
  readonly value: number
  readonly ratio: number | null
}
