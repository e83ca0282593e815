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
const memory = ['--importMemory', '--noExportMemory', '--maximumMemory', '65536', '--runtime', 'stub']

/** Where the binary says what memory it imports: 1 for one with a maximum, 3 for one that threads share. All else is the same. */
const memoryFlagOf = bytes => {
  const name = Buffer.from('\u0003env\u0006memory\u0002', 'latin1')
  const at = bytes.indexOf(name) + name.length
  if (at < name.length || bytes.indexOf(name, at) >= 0 || bytes[at] !== 1)
    throw new Error('the binary does not import one memory with a maximum')
  return at
}

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
  const bytes = await readFile(out)
  const binary = { base64: bytes.toString('base64'), memoryFlag: memoryFlagOf(bytes) }
  return { binary, declarations }
}

const folder = await mkdtemp(join(tmpdir(), 'fluxion-wasm-'))
try {
  const simd = await compile(folder, 'simd', ['simd'])
  const relaxed = await compile(folder, 'relaxed', ['simd', 'relaxed-simd'])
  const functions = [...simd.declarations.matchAll(/export function (\w+)(\(.*\): \w+);/g)]
  const lines = [
    '/** Built from assembly/ by build.mjs. */',
    `export const simdBinary = ${JSON.stringify(simd.binary)}`,
    `export const relaxedBinary = ${JSON.stringify(relaxed.binary)}`,
    `export const kernelNames = [${functions.map(([, name]) => `'${name}'`).join(', ')}] as const`,
    'export interface Kernels {',
    // Flags are numbers, 0 or 1, so that every kernel takes a list of numbers.
    ...functions.map(([, name, signature]) => `  ${name}${signature.replaceAll(': boolean', ': number')}`),
    '}',
  ]
  await writeFile(join(here, 'binary.generated.ts'), `${lines.join('\n')}\n`)
} finally {
  await rm(folder, { recursive: true })
}
