import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import { K1, kernelDiscrepancy } from '../laws/kernel.ts'
import { engines } from './engines.ts'
import { kernelCases } from './problems.ts'

const within = (engine: Engine, kernel: (typeof kernelCases)[number]) =>
  fc.asyncProperty(kernel.problem, async problem => {
    const { ratio, at } = await kernelDiscrepancy(engine, problem)
    if (ratio > 1) throw new Error(`${ratio.toPrecision(3)} times the bound at ${at}`)
  })

test('both binaries of the wasm engine are under test', t => {
  const backends = engines.map(({ make }) => make().backend)
  if (process.env.ENGINE !== undefined) t.comment(`skipped: only ${process.env.ENGINE} is asked for`)
  else for (const backend of ['wasm-relaxed-simd', 'wasm-simd']) t.ok(backends.includes(backend), backend)
  t.end()
})

for (const { name, make, runs } of engines)
  test(`${K1.id} ${K1.name}: ${name}`, async t => {
    const engine = make()
    for (const kernel of kernelCases) {
      const result = await fc.check(within(engine, kernel), { numRuns: runs, endOnFailure: true })
      if (result.failed) t.fail(`${kernel.name}: ${result.errorInstance} (seed ${result.seed})`)
      else t.pass(`${kernel.name} (${result.numRuns} runs)`)
    }
    t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
    t.end()
  })
