/**
 * The direction of imports and what sources never contain, as a predicate over one file's path and text:
 * src <- operators, src <- streams, all <- pipelines; purity is visible in the import graph.
 */
import { builtinModules } from 'node:module'
import { posix } from 'node:path'

export const folders = ['src', 'operators', 'streams', 'pipelines'] as const
type Folder = (typeof folders)[number]

/** Which folders each may import from. */
const reaches: Readonly<Record<Folder, readonly Folder[]>> = {
  src: ['src'],
  operators: ['operators', 'src'],
  streams: ['streams', 'src'],
  pipelines: ['pipelines', 'streams', 'operators', 'src'],
}

/** Packages that belong to some places only; every path may import the others. */
const confined: Readonly<Record<string, RegExp>> = {
  rxjs: /^(streams|pipelines)\//,
  'gpu.js': /^src\/engine\/gpu\//,
  webgpu: /^src\/engine\/gpu\//,
  commander: /^pipelines\//,
  'cli-progress': /^pipelines\//,
}

/** Patterns that no code contains, and where they are forbidden. */
const forbidden: readonly (readonly [RegExp, RegExp, string])[] = [
  [/\bMath\s*\.\s*random\b/, /./, 'Math.random: randomness comes from a key'],
  [/\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)/, /^(src|operators)\//, 'a clock'],
  [/\bperformance\s*\.\s*now\b/, /^(src|operators)\//, 'a clock'],
  [/\bcrypto\s*\.\s*(getRandomValues|randomUUID)\b/, /^(src|operators|streams)\//, 'a global source of randomness'],
  [/(?:[:<|&,(]|=>)\s*any\b\s*(?:[\]>)|&,;={[]|$)|\bas\s+any\b/m, /./, 'the type any'],
  [/\bexport\s+default\b|\bas\s+default\b/, /./, 'a default export'],
  [/\bimport\s*\(\s*[^'"`\s]/, /./, 'an import of a computed name'],
]

const COMMENT_OR_TEXT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*(['"])([^'"\n]+)\1/g

const withoutComments = (source: string): string =>
  source.replace(COMMENT_OR_TEXT, text => (text.startsWith('/') ? ' ' : text))
const withoutText = (source: string): string =>
  source.replace(COMMENT_OR_TEXT, text => (text.startsWith('/') ? ' ' : "''"))

/** The modules a source imports, types included. */
export const importsOf = (source: string): string[] =>
  [...withoutComments(source).matchAll(IMPORT)].flatMap(match => match[2] ?? [])

const folderOf = (path: string): Folder | undefined => folders.find(folder => path.startsWith(`${folder}/`))

const importViolation = (path: string, from: Folder, module: string): string | null => {
  if (module.startsWith('.')) {
    const target = posix.join(posix.dirname(path), module)
    const to = folderOf(target)
    if (to === undefined || !reaches[from].includes(to)) return `imports ${target}`
    return /\.(ts|js|mjs|json)$/.test(module) ? null : `imports ${module} without its extension`
  }
  const name = module.split('/')[0] ?? module
  if (module.startsWith('node:') || builtinModules.includes(module))
    return from === 'pipelines' ? null : `imports the Node module ${module}`
  const allowed = confined[name]
  return allowed === undefined || allowed.test(path) ? null : `imports ${module}`
}

/** Every rule that a file breaks; none for a clean one. */
export const violations = (path: string, source: string): string[] => {
  const from = folderOf(path)
  if (from === undefined) return [`${path} is in none of ${folders}`]
  const imports = importsOf(source).flatMap(module => importViolation(path, from, module) ?? [])
  const code = withoutText(source)
  const contents = forbidden.flatMap(([pattern, where, what]) =>
    where.test(path) && pattern.test(code) ? [`contains ${what}`] : [],
  )
  return [...imports, ...contents].map(broken => `${path} ${broken}`)
}
