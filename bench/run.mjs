// Compiles the bench and the library as the package is compiled, then runs bench/run.ts: a loader that transforms on the way would be timed too.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const bench = dirname(fileURLToPath(import.meta.url))
const built = join(bench, '.cache', 'build', String(process.pid))
const compiler = join(bench, '..', 'node_modules', 'typescript', 'bin', 'tsc')
process.on('exit', () => rmSync(built, { recursive: true, force: true }))
const { status } = spawnSync(
  process.execPath,
  [compiler, '-p', join(bench, 'tsconfig.build.json'), '--outDir', built],
  {
    stdio: ['ignore', 2, 2],
  },
)
if (status !== 0) process.exit(status ?? 1)
await import(pathToFileURL(join(built, 'bench', 'run.js')).href)
