import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import * as t_ from 'io-ts'
import test from 'tape'
import { type Checkpoint, latestCheckpoint, readLatest, writeCheckpoint } from '../../pipelines/checkpoint.ts'
import { jsonPieces } from '../../pipelines/files.ts'
import { InputError } from '../../src/errors.ts'
import { f32, floats } from '../../src/format/hostTensor.ts'
import { bits, fold, key, uniform64At } from '../../src/random.ts'
import { hostTensorsArbitrary } from '../arbitraries/hostTensor.ts'
import { sameTensors } from '../laws/codec.ts'
import { holds } from '../property.ts'

const inFolder = async (use: (folder: string) => unknown): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-'))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const State = t_.type({ mark: t_.number })
type State = t_.TypeOf<typeof State>
const at = (step: number, elements = 3): Checkpoint<State> => ({
  step,
  tensors: new Map([['w', f32([elements], new Float32Array(elements).fill(step))]]),
  optimizer: new Map([['w', f32([elements], new Float32Array(elements).fill(-step))]]),
  state: { mark: 2 * step },
})

/** All three files are of the same step. */
const isWhole = ({ step, tensors, optimizer, state }: Checkpoint<State>): boolean => {
  const all = (held: Checkpoint<State>['tensors'], value: number) => {
    const tensor = held.get('w')
    return tensor !== undefined && floats(tensor).every(x => x === value)
  }
  return state.mark === 2 * step && all(tensors, step) && all(optimizer, -step)
}

test('L11 checkpoints: what was written reads back bit for bit, key included', async t => {
  await inFolder(folder => {
    const Run = t_.type({ key: t_.readonly(t_.tuple([t_.number, t_.number])), loss: t_.number })
    let step = 0
    holds(
      t,
      'any tensors',
      fc.property(
        hostTensorsArbitrary,
        hostTensorsArbitrary,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        (tensors, optimizer, loss) => {
          step++
          const state = { key: fold(key(3), step), loss: loss + 0 }
          writeCheckpoint(folder, { step, tensors, optimizer, state }, Run)
          const read = readLatest(folder, Run)
          return (
            read !== null &&
            read.step === step &&
            sameTensors(read.tensors, tensors) &&
            sameTensors(read.optimizer, optimizer) &&
            read.state.loss === state.loss &&
            bits(read.state.key, 9).join() === bits(state.key, 9).join()
          )
        },
      ),
      { numRuns: 25 },
    )
  })
  t.end()
})

test('checkpoints: the pointer moves, old ones go, debris is tolerated and removed', async t => {
  await inFolder(root => {
    const out = join(root, 'a', 'b')
    t.equal(readLatest(out, State), null, 'no folder yet')
    for (const step of [100, 200, 300])
      writeCheckpoint(out, at(step), State, { files: new Map([['config.json', jsonPieces({})]]) })
    t.deepEqual(readdirSync(out).sort(), ['checkpoint-000200', 'checkpoint-000300', 'latest'])
    t.ok(existsSync(join(out, 'checkpoint-000300', 'config.json')), 'further files')
    t.equal(latestCheckpoint(out), join(out, 'checkpoint-000300'))

    mkdirSync(join(out, '.checkpoint-000400.partial'))
    writeFileSync(join(out, '.checkpoint-000400.partial', 'model.safetensors'), 'cut')
    mkdirSync(join(out, '.checkpoint-000100.removed'))
    writeFileSync(join(out, '.latest.partial'), 'checkp')
    cpSync(join(out, 'checkpoint-000300'), join(out, 'checkpoint-000400'), { recursive: true })
    truncateSync(join(out, 'checkpoint-000400', 'model.safetensors'), 9)
    writeFileSync(join(out, 'notes.txt'), 'mine')
    t.equal(readLatest(out, State)?.step, 300, 'debris of a crash does not matter')

    writeCheckpoint(out, at(400), State)
    const latest = readLatest(out, State)
    t.ok(latest !== null && latest.step === 400 && isWhole(latest), 'a step may be written again')
    t.equal(latestCheckpoint(out), join(out, 'checkpoint-000400-2'))
    t.ok(existsSync(join(out, 'notes.txt')), 'other files are left alone')
    t.notOk(
      readdirSync(out).some(name => name.startsWith('.checkpoint')),
      'debris is removed',
    )
    writeCheckpoint(out, at(500), State, { keep: 1 })
    t.deepEqual(
      readdirSync(out).filter(name => name.startsWith('checkpoint')),
      ['checkpoint-000500'],
    )
  })
  t.end()
})

test('checkpoints: damage is an InputError that names the file', async t => {
  await inFolder(out => {
    writeCheckpoint(out, at(7), State)
    const folder = join(out, 'checkpoint-000007')
    for (const name of ['model.safetensors', 'optimizer.safetensors', 'state.json']) {
      const path = join(folder, name)
      const whole = readFileSync(path)
      for (const length of [0, 5, whole.length - 2]) {
        writeFileSync(path, whole.subarray(0, length))
        t.throws(
          () => readLatest(out, State),
          (error: unknown) => error instanceof InputError && error.message.startsWith(path),
          `negative control: ${name} cut to ${length} bytes`,
        )
      }
      rmSync(path)
      t.throws(() => readLatest(out, State), new RegExp(`${name}: no such file`), `${name} missing`)
      writeFileSync(path, whole)
    }
    const other = t_.type({ mark: t_.string })
    t.throws(() => readLatest(out, other), /state.json: state.mark: expected string, found 14/)
    writeFileSync(join(out, 'latest'), '../../etc')
    t.throws(() => readLatest(out, State), /latest: expected the name of a checkpoint, found "..\/..\/etc"/)
  })
  t.end()
})

const KILLS = 24
const FOLDERS = 2
const writer = fileURLToPath(new URL('./checkpointWriter.ts', import.meta.url))

test(`SIGKILL at any moment leaves a readable last checkpoint (${KILLS} kills)`, async t => {
  const chance = key(2026)
  const finished = (child: ChildProcess) => once(child, 'exit')
  /** Kills a resuming writer again and again; returns the steps found after each kill. */
  const killed = async (out: string, folder: number): Promise<readonly number[]> => {
    const steps: number[] = []
    for (let kill = 0; kill < KILLS / FOLDERS; kill++) {
      const before = latestCheckpoint(out)
      // Sizes vary, so that the kill falls now into data, now into renames and removals.
      const elements = kill % 2 === 0 ? '200000' : '10'
      const child = spawn(process.execPath, ['--import', 'tsx', writer, out, elements], { stdio: 'ignore' })
      const exit = finished(child)
      for (let waited = 0; latestCheckpoint(out) === before && waited < 1000; waited++) await wait(5)
      await wait(60 * uniform64At(fold(chance, folder), kill))
      child.kill('SIGKILL')
      await exit
      const latest = readLatest(out, State)
      steps.push(latest !== null && isWhole(latest) ? latest.step : -1)
    }
    return steps
  }
  await inFolder(async root => {
    const runs = await Promise.all(Array.from({ length: FOLDERS }, (_, i) => killed(join(root, String(i)), i)))
    for (const steps of runs) {
      t.ok(
        steps.every((step, i) => step > (steps[i - 1] ?? 0)),
        `whole and further after each kill: steps ${steps.join(' ')}`,
      )
    }
    const debris = runs.map((_, i) => readdirSync(join(root, String(i))).filter(name => name !== 'latest').length)
    t.ok(
      debris.every(count => count <= 5),
      `entries left beside the pointer: ${debris.join(' ')}`,
    )
  })
  t.end()
})
