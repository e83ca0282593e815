/** The command line takes fused multiply-add where V8 hides it behind a flag; the library takes what the host shows and touches no flag. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { spawnFluxion } from './harness.ts'

test('the command line runs the relaxed SIMD binary and says so', async t => {
  const { code, stderr } = await spawnFluxion(['generate', 'To be', '--tokens', '1', '--greedy']).end
  t.equal(code, 0)
  t.match(stderr, /engine wasm \(wasm-relaxed-simd\)/)
  t.end()
})

test('an engine opened by the library leaves the flags of its process alone', t => {
  const at = (path: string) => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)))
  const program = `
    import { openEngine } from ${at('../../../src/engine/open.ts')}
    import { hasRelaxedSimd } from ${at('../../../src/engine/wasm/kernels.ts')}
    const shown = hasRelaxedSimd()
    const { engine } = await openEngine('auto')
    console.log(JSON.stringify({ shown, after: hasRelaxedSimd(), backend: engine.backend }))`
  const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
  })
  const { shown, after, backend } = Object(JSON.parse(stdout))
  t.equal(after, shown)
  t.equal(backend, shown === true ? 'wasm-relaxed-simd' : 'wasm-simd')
  t.end()
})
