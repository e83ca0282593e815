/**
 * The gpu engine in headless Chromium, on the SwiftShader that Chromium carries: law K1 of kernels and operators in each mode, and
 * the tokens of the wasm engine.
 */
import test from 'tape'
import { noChromium, runPage } from './chromium.ts'

const FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
]

test('Chromium: the gpu engine on WebGPU, WebGL 2 and WebAssembly', async t => {
  const why = noChromium()
  if (why !== '') {
    t.comment(`skipped: ${why}`)
    return t.end()
  }
  const result = await runPage('gpuPage.ts', { flags: FLAGS, timeout: 300_000 })
  t.equal(result.error, undefined, 'no error in the page')
  for (const mode of ['webgpu', 'webgl2', 'webasm']) {
    const { error, problems, failed, left, backend, adapter } = result.modes[mode]
    t.equal(error, undefined, `mode ${mode}`)
    t.equal(backend, mode, `is what ran ${adapter}`)
    t.deepEqual(failed, [], `K1 ${problems} problems of all kernels and operators`)
    t.equal(left, 0, 'S15 everything allocated was freed')
  }
  t.deepEqual(result.decoded, result.expected, `the tokens ${result.expected} of the wasm engine`)
  t.equal(result.submissions, result.expected.length, 'one submission a token')
  t.equal(result.readbacks, result.expected.length, 'and one readback')
  const lost = 'EngineError: the WebGL context was lost; the engine is not usable any more, true'
  t.deepEqual(result.lost, [[2, 2, 2], lost, lost, 0], 'a lost WebGL context is an error of reads and launches')
  t.end()
})
