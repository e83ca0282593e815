/**
 * Compiles assembly/ twice, with and without fused multiply-add (relaxed SIMD), and writes binary.generated.ts: both binaries in base64,
 * so that the engine starts synchronously with no file system, and the typed interface of their exports.
 * Memory is imported and nothing static lives in it: the host owns every address.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const here = dirname(fileURLToPath(import.meta.url))
const optimise = ['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge', '--noAssert']
const memory = ['--importMemory', '--noExportMemory', '--runtime', 'stub']

const compile = async (folder, name, features) => {
  const out = join(folder, `${name}.wasm`)
  const enabled = features.flatMap(feature => ['--enable', feature])
  const { error, stderr } = await asc.main([
    join(here, 'assembly', 'index.ts'),
    '--outFile',
    out,
    '--bindings',
    'raw',
    ...optimise,
    ...memory,
    ...enabled,
  ])
  if (error) throw new Error(`assembly does not compile:\n${stderr}`)
  const declarations = await readFile(join(folder, `${name}.d.ts`), 'utf8')
  return { base64: (await readFile(out)).toString('base64'), declarations }
}

const folder = await mkdtemp(join(tmpdir(), 'fluxion-wasm-'))
try {
  const simd = await compile(folder, 'simd', ['simd'])
  const relaxed = await compile(folder, 'relaxed', ['simd', 'relaxed-simd'])
  const functions = [...simd.declarations.matchAll(/export function (\w+)(\(.*\): \w+);/g)]
  const lines = [
    '/** Built from assembly/ by build.mjs. */',
    `export const simdBinary = '${simd.base64}'`,
    `export const relaxedBinary = '${relaxed.base64}'`,
    `export const kernelNames = [${functions.map(([, name]) => `'${name}'`).join(', ')}] as const`,
    'export interface Kernels {',
    ...functions.map(([, name, signature]) => `  ${name}${signature}`),
    '}',
  ]
  await writeFile(join(here, 'binary.generated.ts'), `${lines.join('\n')}\n`)
} finally {
  await rm(folder, { recursive: true })
}
