/**
 * What a checkpoint of a training over pictures remembers besides tensors, whatever it trains, so that a resumed run is the same run (law L11). A command that resumes may
 * repeat it all; it may change the number of steps only.
 */
import * as t from 'io-ts'
import { nullable, text, where } from '../../src/codec/fields.ts'
import type { RunOptions } from '../../src/codec/training.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import { type PictureSet, pictureSize } from '../../src/format/pictures.ts'
import { type Checkpoint, readLatest } from '../checkpoint.ts'
import { digest } from '../readText.ts'
import { isJson, resumedOptions, same } from '../runRecord.ts'

export const pictureRecord = <P extends string, O extends RunOptions>(
  preset: t.Type<P, P, unknown>,
  options: t.Type<O, unknown, unknown>,
) =>
  t.type(
    {
      preset,
      options,
      /** SHA-256 of the pictures, their sizes and classes. */
      pictures: text,
      engine: text,
      /** The mode the engine ran in: another may round otherwise. */
      backend: nullable(text),
      /** What the optimizer remembers besides tensors. */
      optimizer: where('a JSON value', isJson),
    },
    'the record of a run',
  )

/** What a command says about its run. */
export interface PictureRunGiven {
  /** Where checkpoints and the model go. */
  readonly out: string
  /** All of the pictures; the last are held out for validation. */
  readonly pictures: PictureSet
  readonly engine: Engine
  readonly preset: string | null
  /** Training options by name, undecoded; errors name their flags. */
  readonly own: Readonly<Record<string, unknown>>
}

/** What identifies a run, its preset aside. */
export const pictureIdentity = ({ pictures, engine }: Pick<PictureRunGiven, 'pictures' | 'engine'>) => ({
  pictures: digestOf(pictures),
  engine: engine.name,
  backend: engine.backend,
})

interface PictureRecord<O> {
  readonly preset: string
  readonly options: O
  readonly pictures: string
  readonly engine: string
  readonly backend: string | null
}

/** The last checkpoint of a run that goes on, its options, and why it is not bit for bit as if never stopped, null where it is. Contradictions are InputErrors. */
export const resumedPictures = <O extends RunOptions, S extends PictureRecord<O>>(
  { out, pictures, engine, preset, own }: PictureRunGiven,
  record: t.Type<S, unknown, unknown>,
  codec: t.Type<O, unknown, unknown>,
): { readonly latest: Checkpoint<S>; readonly options: O; readonly inexact: string | null } => {
  const latest = readLatest(out, record)
  if (latest === null) throw new InputError(`${out}: expected a checkpoint, found none`)
  const { step, state } = latest
  const options = resumedOptions(codec, state.options, own, out)
  if (preset !== null) same('--preset', state.preset, preset, out)
  same('--engine', state.engine, engine.name, out)
  if (state.pictures !== digestOf(pictures))
    throw new InputError(`pictures: expected those of the run in ${out}, with SHA-256 ${state.pictures}, found others`)
  if (options.steps < step)
    throw new InputError(
      `--steps: expected at least the ${step} that the run in ${out} has done, found ${options.steps}`,
    )
  const inexact =
    state.backend === null || state.backend === engine.backend
      ? null
      : `the run began on ${state.backend} and goes on with ${engine.backend}: not bit for bit as if never stopped`
  return { latest, options, inexact }
}

const digestOf = ({ count, channels, height, width, pixels, labels, classes }: PictureSet): string =>
  digest(JSON.stringify([count, channels, height, width, labels === null ? null : [...labels], classes]), pixels)

/** The last pictures apart from the others. */
export const heldOut = (
  pictures: PictureSet,
  part: number,
): { readonly training: PictureSet; readonly validation: PictureSet } => {
  const at = pictures.count - Math.floor(pictures.count * part)
  const from = (start: number, end: number): PictureSet => ({
    ...pictures,
    count: end - start,
    pixels: pictures.pixels.subarray(start * pictureSize(pictures), end * pictureSize(pictures)),
    labels: pictures.labels?.subarray(start, end) ?? null,
  })
  return { training: from(0, at), validation: from(at, pictures.count) }
}
