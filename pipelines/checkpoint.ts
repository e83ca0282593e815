/**
 * Training checkpoints that a crash at any moment leaves readable (laws L11, S6).
 *
 *   out/checkpoint-000200/{model.safetensors, optimizer.safetensors, state.json, …}   a new folder each, never changed
 *   out/latest                                                                        the name of the last whole one
 *
 * Order of a write: files flushed in a hidden folder, folder flushed and renamed, then `latest` replaced by rename, and only
 * then older checkpoints removed. What `latest` names is therefore always whole; everything else may be debris.
 * One process writes to a folder at a time.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import { decode, orThrow } from '../src/codec/decode.ts'
import { naturalNumber } from '../src/codec/fields.ts'
import { parseJson } from '../src/codec/json.ts'
import { InputError } from '../src/errors.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { safetensorsPieces } from '../src/format/safetensors.ts'
import {
  createFolder,
  ensureFolder,
  jsonPieces,
  onPath,
  type Pieces,
  readBytes,
  replaceFile,
  textPieces,
} from './files.ts'
import { readTensors } from './folder.ts'
import { WEIGHTS } from './modelFiles.ts'

const LATEST = 'latest'
const OPTIMIZER = 'optimizer.safetensors'
const STATE = 'state.json'
const NAME = /^checkpoint-(\d+)(?:-(\d+))?$/
const DEBRIS = /^\.checkpoint-.*\.(partial|removed)$/

/** A moment of a training run; `state` is everything that is no tensor: keys, counters, positions in the data. */
export interface Checkpoint<S> {
  readonly step: number
  readonly tensors: HostTensors
  readonly optimizer: HostTensors
  readonly state: S
}

export interface CheckpointOptions {
  /** Checkpoints to keep, this one included; 2 unless said. */
  readonly keep?: number
  /** Further files of the folder, so that it opens as a model: config.json, tokenizer.json. */
  readonly files?: ReadonlyMap<string, Pieces>
}

/** Order of creation: by step, then by repetition of a step. */
const age = (name: string): readonly [number, number] => {
  const [, step = '0', repetition = '1'] = NAME.exec(name) ?? []
  return [Number(step), Number(repetition)]
}

const freeName = (out: string, step: number): string => {
  const name = `checkpoint-${String(step).padStart(6, '0')}`
  for (let repetition = 1; ; repetition++) {
    const candidate = repetition === 1 ? name : `${name}-${repetition}`
    if (!existsSync(join(out, candidate))) return candidate
  }
}

/** Removes debris and all but the `keep` last checkpoints up to the latest; a half-removed folder is hidden first. */
const prune = (out: string, latest: string, keep: number): void => {
  const entries = readdirSync(out)
  const [lastStep] = age(latest)
  const older = entries
    .filter(name => NAME.test(name) && name !== latest && age(name)[0] <= lastStep)
    .sort((a, b) => age(b)[0] - age(a)[0] || age(b)[1] - age(a)[1])
  for (const name of older.slice(Math.max(0, keep - 1))) renameSync(join(out, name), join(out, `.${name}.removed`))
  for (const name of readdirSync(out)) if (DEBRIS.test(name)) rmSync(join(out, name), { recursive: true, force: true })
}

/** Writes a checkpoint, makes it the latest, removes old ones, and returns its path. State that is not JSON must have a codec that makes it so. */
export const writeCheckpoint = <S>(
  out: string,
  checkpoint: Checkpoint<S>,
  codec: t.Type<S, unknown, unknown>,
  { keep = 2, files = new Map<string, Pieces>() }: CheckpointOptions = {},
): string => {
  const folder = resolve(out)
  ensureFolder(folder)
  const name = freeName(folder, checkpoint.step)
  const path = join(folder, name)
  const contents = new Map<string, Pieces>([
    ...files,
    [WEIGHTS, safetensorsPieces(checkpoint.tensors, { format: 'pt' })],
    [OPTIMIZER, safetensorsPieces(checkpoint.optimizer)],
    [STATE, jsonPieces({ step: checkpoint.step, state: codec.encode(checkpoint.state) })],
  ])
  createFolder(path, contents)
  replaceFile(join(folder, LATEST), textPieces(`${name}\n`))
  onPath(out, () => prune(folder, name, keep))
  return path
}

/** Path of the latest checkpoint's folder, or null where there is none yet. */
export const latestCheckpoint = (out: string): string | null => {
  const pointer = join(out, LATEST)
  if (!existsSync(pointer)) return null
  const name = new TextDecoder().decode(readBytes(pointer)).trim()
  if (!NAME.test(name))
    throw new InputError(`${pointer}: expected the name of a checkpoint, found ${JSON.stringify(name)}`)
  return join(out, name)
}

/** The latest checkpoint, or null where there is none yet. A damaged one is an InputError. */
export const readLatest = <S>(out: string, codec: t.Type<S, unknown, unknown>): Checkpoint<S> | null => {
  const folder = latestCheckpoint(out)
  if (folder === null) return null
  const path = join(folder, STATE)
  const { step, state } = orThrow(
    pipe(
      parseJson(readBytes(path), path),
      E.chain(value => decode(t.type({ step: naturalNumber, state: codec }, 'a training state'), value, path)),
    ),
  )
  return { step, tensors: readTensors(join(folder, WEIGHTS)), optimizer: readTensors(join(folder, OPTIMIZER)), state }
}
