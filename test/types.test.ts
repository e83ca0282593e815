import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'tape'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const run = promisify(execFile)

/** What the compiler says of a project; empty when nothing is wrong. */
const complaints = async (project: string): Promise<string> => {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  try {
    await run(process.execPath, [tsc, '--noEmit', '-p', project], { cwd: root })
    return ''
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
  }
}

test('the type tests hold: each wrong wire is an error, each right one is not', async t => {
  t.equal(await complaints(join(root, 'test', 'types', 'tsconfig.json')), '')
})

test('negative control: an error that nobody expects is found', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-types-'))
  try {
    const lines = [
      `import { matmul } from '${root}/src/kernel/matmul.ts'`,
      `import type { Tensor } from '${root}/src/tensor/tensor.ts'`,
      "export const f = (x: Tensor<readonly ['a', 'b']>) => matmul(x, x)",
    ]
    writeFileSync(join(folder, 'wrong.ts'), lines.join('\n'))
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions: { types: [] }, include: ['./wrong.ts'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    t.match(await complaints(folder), /wrong\.ts\(3,\d+\): error TS2345/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
