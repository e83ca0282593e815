import type { Command } from 'commander'
import { progress } from '../../streams/index.ts'
import { presets } from '../presets.ts'
import { readText } from '../readText.ts'
import type { RunStep } from '../runTraining.ts'
import { trainInFolder } from '../trainInFolder.ts'
import { trainingFolder } from '../trainingFolder.ts'
import { engineOf, type Flags, printerOf, withCommonFlags, withFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { counted, grouped, type Printer } from './printer.ts'
import { progressBar } from './progressBar.ts'
import { shapeHelp, trainFlags, trainingHelp } from './trainFlags.ts'

const report = (say: Printer, { step, loss, rate, validation }: RunStep): void => {
  const measured = validation === null ? {} : { validation }
  const line = `step ${step}: training loss ${loss.toFixed(4)}, validation loss ${validation?.toFixed(4)}\n`
  say.resultAboveBar({ step, loss, learningRate: rate, ...measured }, validation === null ? '' : line)
}

const run = async (files: readonly string[], flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const asked = trainFlags(flags)
  const text = files.map(readText).join('')
  const { engine, why } = await engineOf(flags)
  const folder = await trainingFolder({ ...asked, text, engine })
  const { options, from, training, validation } = folder.run
  const first = from?.step ?? 0
  say.note(why)
  say.note(`${grouped(training.length)} tokens to train on, ${grouped(validation.length)} held out`)
  if (folder.inexact !== null) say.note(folder.inexact)
  say.note(
    first > 0
      ? `goes on after step ${first} of ${options.steps}`
      : `${counted(options.steps, 'step')} from the beginning`,
  )

  const tokens = options.batch * options.block * options.accumulate
  const [start, total] = [first * tokens, options.steps * tokens]
  const metered = progress<RunStep>({ amount: () => tokens, start, total })
  await consume(trainInFolder(folder).pipe(metered, progressBar(io, start, total)), io, ({ value }) => {
    report(say, value)
  })
  say.note(`wrote the model to ${asked.out}`)
}

/** `fluxion train <files…> --out <folder>`: raw text in, a model folder out. */
export const addTrain = (program: Command, io: Io): void => {
  const command = program
    .command('train')
    .description(
      'Train a model on text. Ctrl-C keeps the last checkpoint; the same command with --resume goes on from it.',
    )
    .argument('<files...>', 'UTF-8 text, joined in this order')
    .requiredOption('--out <folder>', 'where checkpoints and the model go')
    .option('--preset <name>', `${Object.keys(presets).join(', ')} (default: nanogpt-cpu)`)
    .option('--vocabulary <tokens>', "characters, or the size of a byte-level BPE learnt from the text (the preset's)")
    .option('--resume', 'go on from the last checkpoint, exactly as if never stopped')
    .addHelpText('after', '\nA preset has its own values; those in brackets hold where it has none.')
  withCommonFlags(withFlags(withFlags(command, shapeHelp), trainingHelp)).action(
    (files: readonly string[], flags: Flags) => run(files, flags, io),
  )
}
