import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import { DiffusingOptions, diffusingFields, samplerNames } from '../../src/codec/diffusing.ts'
import { nonEmptyText, nullable, positiveInteger, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { InputError } from '../../src/errors.ts'
import { halfBlocks } from '../../src/format/halfBlocks.ts'
import { pictureGrid } from '../../src/format/pictureGrid.ts'
import type { Pictures } from '../../src/format/pictures.ts'
import { openDenoiser } from '../diffusion/denoisingFolder.ts'
import { diffuse } from '../diffusion/diffuse.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { bundledDigits, modelPath } from './modelPath.ts'
import { picturesOf, readFitting, writeFrames, writeGrid } from './pictureFiles.ts'

const help = {
  steps: 'noise levels to walk down (30)',
  guidance: 'how much the class counts: 0 not at all, 1 as learnt, more exaggerates it (2)',
  eta: "noise of ddim's steps: 0 none, 1 as much as ddpm's (0)",
  strength: 'with --init: how much of the picture is done over (0.6)',
  repeats: 'with --mask: times that each step is tried, so that old and new agree (5)',
} as const

const DiffuseFlags = t.type({
  class: nullable(nonEmptyText),
  count: nullable(fromText(positiveInteger)),
  out: nullable(nonEmptyText),
  zoom: withDefault(fromText(positiveInteger), 4),
  frames: nullable(nonEmptyText),
  init: nullable(nonEmptyText),
  mask: nullable(nonEmptyText),
})

/** Pictures of each class where no number is given: rows of a grid of all classes, or a square of one. */
const ROWS = 4
const SQUARE = 16

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

interface Layout {
  readonly labels: readonly number[]
  readonly columns: number
}

/** A column a class; one class fills a square. */
const layoutOf = (classes: readonly number[] | null, count: number | null, config: DenoisingConfig): Layout => {
  const { num_classes } = config.network
  const wanted = classes ?? Array.from({ length: Math.max(1, num_classes) }, (_, i) => i)
  const each = count ?? (wanted.length === 1 ? SQUARE : ROWS)
  const columns = wanted.length === 1 ? Math.ceil(Math.sqrt(each)) : wanted.length
  return { labels: Array.from({ length: each }, () => wanted).flat(), columns }
}

/** Draws over what it drew before, on a terminal. */
const preview = ({ stdout }: Io, wide: boolean): ((grid: Pictures) => void) => {
  let lines = 0
  return grid => {
    if (!wide) return
    stdout.write(`${lines > 0 ? `\u001b[${lines}A` : ''}${halfBlocks(grid)}`)
    lines = Math.ceil(grid.height / 2)
  }
}

const run = async (folder: string | undefined, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  // Flags first: a wrong one needs no model to be refused.
  const own = given(flags, Object.keys(diffusingFields))
  const { steps, seed, sampler, guidance } = decodeOrThrow(DiffusingOptions, own, flagName)
  const asked = decodeOrThrow(DiffuseFlags, flags, flagName)
  if (asked.mask !== null && asked.init === null)
    throw new InputError('--mask: expected --init too, the picture to keep part of')
  const path = modelPath(folder ?? bundledDigits())
  const { engine, why } = await engineOf(flags)
  const opened = openDenoiser(path, engine)
  const { config } = opened
  const { network } = config
  const { labels, columns } = layoutOf(
    asked.class === null ? null : classesOf(asked.class, config),
    asked.count,
    config,
  )
  const init = asked.init === null ? {} : { init: readFitting(asked.init, network) }
  // White is to be made up.
  const mask = asked.mask === null ? {} : { mask: readFitting(asked.mask, network).map(value => (value > 0 ? 0 : 1)) }
  const frames$ = diffuse(opened, engine, { ...own, ...init, ...mask, labels })

  say.note(why)
  say.note(`${labels.length} pictures, ${steps} steps of ${sampler}, guidance ${guidance}, seed ${seed}`)
  const gap = 2
  const width = columns * (network.width + gap) + gap
  const terminal = io.stdout.isTTY === true && (io.stdout.columns ?? 0) >= width && flags.json !== true
  const show = preview(io, terminal)
  const animation: Pictures[] = []
  const began = performance.now()
  const last = await consume(frames$, io, frame => {
    const grid = (): Pictures => pictureGrid(picturesOf(frame.sample, network, labels.length), { columns, gap })
    if (asked.frames !== null)
      animation.push(pictureGrid(picturesOf(frame.sample, network, labels.length), { columns, gap, zoom: asked.zoom }))
    if (terminal) show(grid())
    say.result({ step: frame.step, steps: frame.steps, sigma: frame.sigma }, '')
  })
  if (last === null) return
  const seconds = (performance.now() - began) / 1000
  const pictures = picturesOf(last.sample, network, labels.length)
  if (asked.out !== null) writeGrid(asked.out, pictures, columns, asked.zoom)
  if (asked.frames !== null) await writeFrames(asked.frames, animation)
  if (asked.out === null && asked.frames === null && !terminal)
    say.text(halfBlocks(pictureGrid(pictures, { columns, gap })))
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
    .option('--count <number>', `pictures of each class (${ROWS}; of a single class ${SQUARE})`)
    .option('--sampler <name>', `${samplerNames.join(', ')} (ddim)`)
    .option('--out <file.png>', 'the pictures, side by side')
    .option('--frames <file.gif>', 'how they came out of the noise, as an animation')
    .option('--zoom <number>', 'side of the square that a pixel becomes in files (4)')
    .option('--init <photo.png>', 'a picture to start from instead of noise; see --strength')
    .option('--mask <mask.png>', 'with --init: only where it is white is the picture made up anew')
  withCommonFlags(withFlags(command, help)).action((folder: string | undefined, flags: Flags) => run(folder, flags, io))
}
