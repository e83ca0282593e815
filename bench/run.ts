/**
 * `npm run bench -- [--only NAME[,NAME…]] [--json] [--pairs N] [--remeasure-peers] [--list]`: measures each row of `rows/` beside its peer
 * and records it in results.json and RESULTS.md. Installs the peers' packages on first use.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { turnOnRelaxedSimd } from '../pipelines/cli/relaxedSimd.ts'
import { commit, machine, othersProcessors } from './machine.ts'
import { type Peer, startPeer } from './peer.ts'
import { figure, record, toReach } from './results.ts'
import { Absent, conditions, type Measured, type Result, type Row, type Tools } from './row.ts'

// Compiled, this file lies elsewhere; `run.mjs` lies in bench/.
const bench = dirname(resolve(process.argv[1] ?? '.'))
const compiled = dirname(fileURLToPath(import.meta.url))
const root = dirname(bench)
const cache = join(bench, '.cache')
/** Processors in use by others from which on a figure is marked. */
const BUSY = 0.2
const shared = process.env.FLUXION_SHARED ?? join(root, '..', 'shared')
const say = (line: string) => process.stderr.write(`${line}\n`)

const options = (() => {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        pairs: { type: 'string', default: '7' },
        'remeasure-peers': { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    say(`bench: ${error instanceof Error ? error.message : error}`)
    process.exit(2)
  }
})()

const names = readdirSync(join(bench, 'rows'))
  .filter(file => file.endsWith('.ts'))
  .map(file => basename(file, '.ts'))
const only = options.only.flatMap(text => text.split(','))
const unknown = only.filter(name => !names.includes(name))
const pairs = Number(options.pairs)
if (unknown.length > 0) {
  say(`bench: no row ${unknown.join(', ')}; rows are ${names.join(', ')}`)
  process.exit(2)
}
if (!Number.isInteger(pairs) || pairs < 5) {
  say(`bench: --pairs takes a whole number of at least 5, found ${options.pairs}`)
  process.exit(2)
}

// As the command line does.
turnOnRelaxedSimd()

const isRow = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && 'name' in value && 'run' in value && typeof value.run === 'function'

const load = async (name: string): Promise<Row> => {
  const { row } = await import(pathToFileURL(join(compiled, 'rows', `${name}.js`)).href)
  if (!isRow(row) || row.name !== name) throw new TypeError(`rows/${name}.ts exports no row of that name`)
  return row
}

const installPeers = () => {
  const installed = join(bench, 'node_modules', '.package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(bench, 'package-lock.json')).mtimeMs) return
  say('bench: installing the peers in bench/node_modules (npm ci, once)')
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: bench, stdio: ['ignore', 'ignore', 'inherit'] })
}

const measure = async (row: Row): Promise<Measured> => {
  const started: Peer[] = []
  const start = async (command: string, args: string[]) => {
    const peer = await startPeer(command, args, { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' })
    started.push(peer)
    return peer
  }
  const tools: Tools = {
    pairs,
    remeasurePeers: options['remeasure-peers'],
    cache,
    shared: path => {
      const file = join(shared, path)
      if (!existsSync(file)) throw new Absent(`${path} is absent (set FLUXION_SHARED)`)
      return file
    },
    python: (script, ...args) =>
      start(process.env.FLUXION_PYTHON ?? '/usr/bin/python3', ['-u', join(bench, 'peers', script), ...args]),
    node: (script, ...args) => start(process.execPath, [join(bench, 'peers', script), ...args]),
    say,
  }
  try {
    return await row.run(tools)
  } finally {
    for (const peer of started) peer.stop()
  }
}

const print = (result: Result) => {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`)
    return
  }
  const theirs =
    result.peerValue === null ? `${result.peer} absent` : `${result.peer} ${figure(result.peerValue)} ${result.unit}`
  const ratio = result.ratio === null ? '' : `, ratio ${result.ratio.toFixed(2)}`
  process.stdout.write(
    `${result.name}: ${figure(result.value)} ${result.unit}; ${theirs}${ratio}; ${toReach(result, 'NOT')}\n`,
  )
  if (result.note !== '') process.stdout.write(`  ${result.note}\n`)
}

const runRow = async (row: Row) => {
  say(`bench: ${row.name}`)
  const others = await othersProcessors()
  const { note = '', details = {}, trial = '', ...measured } = await measure(row)
  const remeasured = options['remeasure-peers'] ? ' --remeasure-peers' : ''
  const { name, title, unit, target, peer } = row
  const { value, ratio } = measured
  const further = Object.entries(row.further ?? {}).map(([what, target]) => ({
    what,
    target,
    value: measured.further?.[what] ?? null,
  }))
  const result: Result = {
    name,
    value,
    unit,
    target,
    further,
    peer,
    peerValue: measured.peerValue,
    ratio,
    threads: measured.threads,
    runs: measured.runs,
    command: `npm run bench -- --only ${name}${remeasured}`,
    commit: commit(root),
    date: new Date().toISOString(),
    reached: conditions({ target, value, ratio, further }).every(([, reached]) => reached),
    title,
    machine: machine(),
    note:
      others < BUSY
        ? note
        : `${note}; MEASURED ON A BUSY MACHINE (others used ${others.toFixed(1)} processors), measure again`,
    details: { ...details, 'processors used by others': others },
  }
  if (trial !== '') say(`bench: ${name} is a TRIAL, not recorded: ${trial}`)
  else record(bench, result)
  print(result)
}

if (options.list) {
  for (const name of names) process.stdout.write(`${name}\n`)
} else {
  installPeers()
  mkdirSync(cache, { recursive: true })
  for (const name of names) {
    if (only.length > 0 && !only.includes(name)) continue
    try {
      await runRow(await load(name))
    } catch (error) {
      const absent = error instanceof Absent
      say(`bench: ${name} ${absent ? 'passed over' : 'failed'}: ${error instanceof Error ? error.message : error}`)
      if (!absent) process.exitCode = 1
    }
  }
}
