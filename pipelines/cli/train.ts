import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { boolean, nonEmptyText, nullable, oneOf, positiveInteger, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { trainingFields } from '../../src/codec/training.ts'
import { progress } from '../../streams/index.ts'
import { presets } from '../presets.ts'
import { readText } from '../readText.ts'
import { trainInFolder } from '../trainInFolder.ts'
import { PresetNameCodec, trainingFolder } from '../trainingFolder.ts'
import type { RunStep } from '../trainingRun.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { grouped, type Printer } from './printer.ts'
import { progressBar } from './progressBar.ts'

const help = {
  steps: 'optimizer steps (2000)',
  batch: 'sequences a batch (12)',
  block: 'tokens a sequence (64)',
  accumulate: 'batches averaged into one step (1)',
  learningRate: 'highest learning rate, reached after the warm-up (0.001)',
  minimumLearningRate: 'learning rate at the end of the cosine (0.0001)',
  warmup: 'steps in which the learning rate rises (100)',
  weightDecay: "AdamW's weight decay, on matrices only (0.1)",
  beta1: "AdamW's decay of the first moment (0.9)",
  beta2: "AdamW's decay of the second moment (0.99)",
  epsilon: "AdamW's epsilon (1e-8)",
  clip: 'largest norm of the gradient; 0 does not clip (1)',
  dropout: 'part of the activations dropped (0)',
  validation: 'part of the text held out, at its end (0.1)',
  evaluateEvery: 'steps between validations; 0 never (250)',
  checkpointEvery: 'steps between checkpoints; 0 only at the end (200)',
  keep: 'checkpoints to keep (2)',
} as const satisfies Readonly<Record<Exclude<keyof typeof trainingFields, 'seed'>, string>>

const TrainFlags = t.type({
  out: nonEmptyText,
  preset: nullable(PresetNameCodec),
  vocabulary: nullable(t.union([oneOf('characters'), fromText(positiveInteger)], '"characters" or a positive integer')),
  resume: withDefault(boolean, false),
})

const report = (say: Printer, { step, loss, rate, validation }: RunStep): void => {
  const measured = validation === null ? {} : { validation }
  const line = `step ${step}: training loss ${loss.toFixed(4)}, validation loss ${validation?.toFixed(4)}\n`
  say.result({ step, loss, learningRate: rate, ...measured }, validation === null ? '' : line)
}

const run = async (files: readonly string[], flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { out, preset, vocabulary, resume } = decodeOrThrow(TrainFlags, flags, flagName)
  const own = given(flags, Object.keys(trainingFields))
  const text = files.map(readText).join('')
  const { engine, why } = await engineOf(flags)
  const folder = await trainingFolder({ out, text, engine, preset, vocabulary, own, resume })
  const { options, from, training, validation } = folder.run
  const first = from?.step ?? 0
  say.note(why)
  say.note(`${grouped(training.length)} tokens to train on, ${grouped(validation.length)} held out`)
  say.note(first > 0 ? `goes on after step ${first} of ${options.steps}` : `${options.steps} steps from the beginning`)

  const tokens = options.batch * options.block * options.accumulate
  const [start, total] = [first * tokens, options.steps * tokens]
  const counted = progress<RunStep>({ amount: () => tokens, start, total })
  await consume(trainInFolder(folder).pipe(counted, progressBar(io, start, total)), io, ({ value }) => {
    report(say, value)
  })
  say.note(`wrote the model to ${out}`)
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
  withCommonFlags(withFlags(command, help)).action((files: readonly string[], flags: Flags) => run(files, flags, io))
}
