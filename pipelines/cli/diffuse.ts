import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { type DenoisingConfig, pictureSizeOf } from '../../src/codec/denoising.ts'
import { ADAPTIVE, DiffusingOptions, diffusingFields, levelNames, samplerNames } from '../../src/codec/diffusing.ts'
import { nonEmptyText, nullable, positiveInteger, text, where } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { pictureCount } from '../../src/codec/picture.ts'
import { InputError } from '../../src/errors.ts'
import { gridSize, pictureGrid } from '../../src/format/pictureGrid.ts'
import type { Pictures } from '../../src/format/pictures.ts'
import { openDenoiser } from '../diffusion/denoisingFolder.ts'
import { diffuse, type Shown } from '../diffusion/diffuse.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { bundledDigits, modelPath } from './modelPath.ts'
import { expectAnimation, expectWritable, picturesOf, readFitting, writeFrames, writeGrid } from './pictureFiles.ts'
import { counted } from './printer.ts'
import { terminalPictures } from './terminalPictures.ts'

const help = {
  steps: 'noise levels to walk down (30)',
  tolerance: 'what a step of dormand-prince may be wrong by: smaller takes more of them (0.01)',
  guidance: 'how much the class or text counts: 0 not at all, 1 as learnt, more exaggerates it (2)',
  eta: "noise of ddim's steps: 0 none, 1 as much as ddpm's (0)",
  strength: 'with --init: how much of the picture is done over (0.6)',
  repeats: 'with --mask: times that each step is tried, so that old and new agree (5)',
} as const

/** A file whose name says what is in it. */
const fileOf = (ending: string) =>
  where(
    `a file name that ends in ${ending}`,
    (value): value is string => text.is(value) && value.toLowerCase().endsWith(ending),
  )

const DiffuseFlags = t.type({
  class: nullable(nonEmptyText),
  prompt: nullable(t.readonlyArray(nonEmptyText, 'texts')),
  count: nullable(fromText(pictureCount)),
  out: nullable(fileOf('.png')),
  zoom: nullable(fromText(positiveInteger)),
  frames: nullable(fileOf('.gif')),
  init: nullable(nonEmptyText),
  mask: nullable(nonEmptyText),
})

/** Pictures of each class where no number is given: one for the terminal; for a file rows of a grid of all classes, or a square of one. */
const ROWS = 4
const SQUARE = 16
/** Side of the square that a pixel becomes in files. */
const ZOOM = 4

/** Class ids of a list of ids or names. */
const classesOf = (text: string, { class_names: names }: DenoisingConfig): number[] =>
  text.split(',').map(part => {
    const id = names.indexOf(part.trim())
    if (id < 0)
      throw new InputError(
        `--class: expected ${names.length === 0 ? 'none: the model has no classes' : `one of ${names.join(', ')}`}; found ${JSON.stringify(part)}`,
      )
    return id
  })

/** What is to be drawn where somebody said so. */
const askedFor = (
  { class: classes, prompt }: { readonly class: string | null; readonly prompt: readonly string[] | null },
  config: DenoisingConfig,
): readonly Shown[] | null => {
  if (prompt === null) return classes === null ? null : classesOf(classes, config)
  if (classes !== null) throw new InputError('--prompt: expected it without --class, found both')
  if (config.text_encoder === null)
    throw new InputError(`--prompt: expected a model that is told texts, found one that is told classes; see --class`)
  return prompt
}

interface Layout {
  readonly labels: readonly Shown[]
  readonly columns: number
}

/** A column a class or text; one alone fills a square. */
const layoutOf = (asked: readonly Shown[] | null, each: number, { class_names }: DenoisingConfig): Layout => {
  const wanted = asked ?? Array.from({ length: Math.max(1, class_names.length) }, (_, i) => i)
  const columns = wanted.length === 1 ? Math.ceil(Math.sqrt(each)) : wanted.length
  return { labels: Array.from({ length: each }, () => wanted).flat(), columns }
}

const run = async (folder: string | undefined, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  // Flags first: a wrong one needs no model to be refused.
  const own = given(flags, Object.keys(diffusingFields))
  const { steps, seed, sampler, guidance } = decodeOrThrow(DiffusingOptions, own, flagName)
  const asked = decodeOrThrow(DiffuseFlags, flags, flagName)
  const adaptive = sampler === ADAPTIVE
  if (adaptive && own.steps !== undefined)
    throw new InputError(`--steps: expected none: ${ADAPTIVE} chooses its own; see --tolerance`)
  if (adaptive && asked.mask !== null)
    throw new InputError(`--mask: expected a sampler of a given number of steps, found ${ADAPTIVE}`)
  if (asked.mask !== null && asked.init === null)
    throw new InputError('--mask: expected --init too, the picture to keep part of')
  if (own.strength !== undefined && (asked.init === null || asked.mask !== null))
    throw new InputError('--strength: expected --init too, the picture to do over, and no --mask')
  if (own.repeats !== undefined && asked.mask === null)
    throw new InputError('--repeats: expected --mask too, which says what is made up anew')
  const toFile = asked.out !== null || asked.frames !== null
  if (asked.zoom !== null && !toFile) throw new InputError('--zoom: expected --out or --frames too, found neither')
  for (const file of [asked.out, asked.frames]) if (file !== null) expectWritable(file)
  const path = modelPath(folder ?? bundledDigits())
  const { engine, why } = await engineOf(flags)
  const opened = openDenoiser(path, engine)
  const { config } = opened
  const size = pictureSizeOf(config)
  const wanted = askedFor(asked, config)
  const usual = (wanted ?? config.class_names).length <= 1 ? SQUARE : toFile ? ROWS : 1
  const { labels, columns } = layoutOf(wanted, asked.count ?? usual, config)
  if (own.guidance !== undefined && config.class_names.length === 0 && config.text_encoder === null)
    throw new InputError('--guidance: expected a model that is told classes or texts, found one that is told nothing')
  const grid = { columns, zoom: asked.zoom ?? ZOOM }
  if (toFile) {
    const drawn = gridSize({ count: labels.length, height: size.height, width: size.width }, grid)
    if (asked.frames !== null) expectAnimation(drawn, steps)
  }
  const init = asked.init === null ? {} : { init: readFitting(asked.init, size) }
  // White is to be made up.
  const mask = asked.mask === null ? {} : { mask: readFitting(asked.mask, size).map(value => (value > 0 ? 0 : 1)) }
  const watched = flags.json === true || asked.frames !== null || io.stdout.isTTY === true
  const frames$ = diffuse(opened, engine, { ...own, ...init, ...mask, labels, lastOnly: !watched })

  say.note(why)
  say.note(
    `${counted(labels.length, 'picture')}, ${adaptive ? sampler : `${counted(steps, 'step')} of ${sampler}`}, guidance ${guidance}, seed ${seed}`,
  )
  const screen = flags.json === true ? null : terminalPictures(io, columns)
  const animation: Pictures[] = []
  const began = performance.now()
  const last = await consume(frames$, io, frame => {
    const pictures = picturesOf(frame.sample, size, labels.length)
    if (asked.frames !== null) animation.push(pictureGrid(pictures, grid))
    screen?.frame(pictures)
    say.result({ step: frame.step, steps: frame.steps, sigma: frame.sigma }, '')
  })
  if (last === null) return
  const seconds = (performance.now() - began) / 1000
  const pictures = picturesOf(last.sample, size, labels.length)
  if (asked.out !== null) writeGrid(asked.out, pictures, columns, grid.zoom)
  if (asked.frames !== null) await writeFrames(asked.frames, animation)
  screen?.end(pictures, !toFile)
  for (const file of [asked.out, asked.frames]) if (file !== null) say.result({ file }, `${file}\n`)
  say.note(`${seconds.toFixed(1)} s, ${((1000 * seconds) / labels.length).toFixed(0)} ms a picture`)
}

/** `fluxion diffuse [folder]`: pictures out of noise. */
export const addDiffuse = (program: Command, io: Io): void => {
  const command = program
    .command('diffuse')
    .description('Draw pictures with a diffusion model; without a folder, digits with the bundled one.')
    .argument('[folder]', 'a folder that `train-diffusion` writes (default: the bundled model)')
    .option('--class <names>', 'what to draw: class names, separated by commas (all of them)')
    .option(
      '--prompt <text>',
      'what to draw, in words, of a model that is told texts; again for another picture',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option(
      '--count <number>',
      `pictures of each class or text (1 for the terminal, ${ROWS} for a file; of a single one ${SQUARE})`,
    )
    .option('--sampler <name>', `${samplerNames.join(', ')} (ddim)`)
    .option('--levels <name>', `${levelNames.join(', ')} (trailing; exponential for langevin)`)
    .option('--out <file.png>', 'the pictures, side by side')
    .option('--frames <file.gif>', 'how they came out of the noise, as an animation')
    .option('--zoom <number>', 'side of the square that a pixel becomes in files (4)')
    .option('--init <photo.png>', 'a picture to start from instead of noise; see --strength')
    .option('--mask <mask.png>', 'with --init: only where it is white is the picture made up anew')
  withCommonFlags(withFlags(command, help)).action((folder: string | undefined, flags: Flags) => run(folder, flags, io))
}
