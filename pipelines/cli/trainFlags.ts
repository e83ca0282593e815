/** The flags of `fluxion train`: their help texts and how they are decoded. */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { boolean, integerIn, nonEmptyText, nullable, positiveInteger, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { type runFields, trainingFields } from '../../src/codec/training.ts'
import { PresetNameCodec } from '../trainingFolder.ts'
import { type Flags, given } from './common.ts'

/** Flags of the model's shape. */
export const shapeHelp = {
  layers: "blocks of the model (the preset's, as all of its shape)",
  heads: 'attention heads',
  width: 'width of the residual stream, a multiple of the heads',
  context: 'positions of one sequence, at least --block',
} as const

/** Flags of any run's options; the values in brackets are the options' defaults. */
export const runHelp = {
  steps: 'optimizer steps (2000)',
  accumulate: 'batches averaged into one step (1)',
  learningRate: 'highest learning rate, reached after the warm-up (0.001)',
  minimumLearningRate: 'learning rate at the end of the cosine (0.0001)',
  warmup: 'steps in which the learning rate rises (100)',
  weightDecay: "AdamW's weight decay, on matrices only (0.1)",
  beta1: "AdamW's decay of the first moment (0.9)",
  beta2: "AdamW's decay of the second moment (0.99)",
  epsilon: "AdamW's epsilon (1e-8)",
  clip: 'largest norm of the gradient; 0 does not clip (1)',
  validation: 'part of the data held out, at its end (0.1)',
  evaluateEvery: 'steps between validations; 0 never (250)',
  checkpointEvery: 'steps between checkpoints; 0 only at the end (200)',
  keep: 'checkpoints to keep (2)',
} as const satisfies Readonly<Record<Exclude<keyof typeof runFields, 'seed'>, string>>

/** Flags of the training options of a language model. */
export const trainingHelp = {
  ...runHelp,
  batch: 'sequences a batch (12)',
  block: 'tokens a sequence (64)',
  dropout: 'part of the activations dropped (0)',
} as const satisfies Readonly<Record<Exclude<keyof typeof trainingFields, 'seed'>, string>>

const size = nullable(fromText(positiveInteger))

/** Bytes and the end of text are tokens of every byte-level BPE. */
const bpeSize = fromText(integerIn('"characters" or an integer from 257 to 2097152', n => n >= 257 && n <= 2 ** 21))
const vocabularyChoice = new t.Type<number | 'characters', unknown, unknown>(
  bpeSize.name,
  (value): value is number | 'characters' => value === 'characters' || bpeSize.is(value),
  (input, context) => (input === 'characters' ? t.success(input) : bpeSize.validate(input, context)),
  t.identity,
)

const TrainFlags = t.type({
  out: nonEmptyText,
  preset: nullable(PresetNameCodec),
  vocabulary: nullable(vocabularyChoice),
  layers: size,
  heads: size,
  width: size,
  context: size,
  resume: withDefault(boolean, false),
})

/** What to train and where; training options stay as they were given, since a preset or a record comes under them. */
export const trainFlags = (flags: Flags) => {
  const { out, preset, vocabulary, layers, heads, width, context, resume } = decodeOrThrow(TrainFlags, flags, flagName)
  const own = given(flags, Object.keys(trainingFields))
  return { out, preset, vocabulary, shape: { layers, heads, width, context }, own, resume }
}
