/**
 * Options of a training run; the defaults are nanoGPT's configuration for a CPU (its README, "I only have a macbook").
 * Lengths are in tokens, times in optimizer steps.
 */
import * as t from 'io-ts'
import {
  fraction,
  naturalNumber,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  type Rule,
  seed,
  withDefault,
  withRules,
} from './fields.ts'
import { fromText } from './flag.ts'

/** Options of the optimizer and its schedule, whatever is trained. */
const optimizerFields = {
  steps: withDefault(fromText(positiveInteger), 2000),
  /** Highest learning rate, reached after `warmup` steps. */
  learningRate: withDefault(fromText(positiveNumber), 1e-3),
  /** Learning rate at the end of the cosine. */
  minimumLearningRate: withDefault(fromText(nonNegativeNumber), 1e-4),
  warmup: withDefault(fromText(naturalNumber), 100),
  weightDecay: withDefault(fromText(nonNegativeNumber), 0.1),
  beta1: withDefault(fromText(fraction), 0.9),
  beta2: withDefault(fromText(fraction), 0.99),
  epsilon: withDefault(fromText(positiveNumber), 1e-8),
  /** Largest norm of the whole gradient; 0 does not clip. */
  clip: withDefault(fromText(nonNegativeNumber), 1),
}

/** Options of any run. */
export const runFields = {
  ...optimizerFields,
  /** Batches whose gradients are averaged into one step. */
  accumulate: withDefault(fromText(positiveInteger), 1),
  /** Part of the data, at its end, that is held out for validation. */
  validation: withDefault(fromText(fraction), 0.1),
  /** Steps between validations; 0 never. */
  evaluateEvery: withDefault(fromText(naturalNumber), 250),
  /** Steps between checkpoints; 0 only at the end. */
  checkpointEvery: withDefault(fromText(naturalNumber), 200),
  /** Checkpoints to keep. */
  keep: withDefault(fromText(positiveInteger), 2),
  seed: withDefault(fromText(seed), 1337),
}

const OptimizerOptions = t.type(optimizerFields)
export type OptimizerOptions = t.TypeOf<typeof OptimizerOptions>
const RunOptions = t.type(runFields)
export type RunOptions = t.TypeOf<typeof RunOptions>

/** What the schedule of a run's learning rate asks of its options. */
export const runRules: readonly Rule<RunOptions>[] = [
  {
    field: 'minimumLearningRate',
    holds: ({ minimumLearningRate, learningRate }) => minimumLearningRate <= learningRate,
    expected: ({ learningRate }) => `at most the learning rate ${learningRate}`,
    found: ({ minimumLearningRate }) => minimumLearningRate,
  },
  {
    field: 'warmup',
    holds: ({ warmup, steps }) => warmup <= steps,
    expected: ({ steps }) => `at most the number of steps ${steps}`,
    found: ({ warmup }) => warmup,
  },
]

/** Codecs by option; each also reads the text of a flag. */
export const trainingFields = {
  ...runFields,
  /** Sequences a batch. */
  batch: withDefault(fromText(positiveInteger), 12),
  /** Tokens a sequence. */
  block: withDefault(fromText(positiveInteger), 64),
  dropout: withDefault(fromText(fraction), 0),
}

/** Ids of a batch are one array. */
const MOST_TOKENS = 2 ** 28

export const TrainingOptions = withRules(t.exact(t.type(trainingFields), 'training options'), [
  ...runRules,
  {
    field: 'batch',
    holds: ({ batch, block }) => batch * block <= MOST_TOKENS,
    expected: ({ block }) => `at most ${Math.floor(MOST_TOKENS / block)} sequences of ${block} tokens`,
    found: ({ batch }) => batch,
  },
])
export type TrainingOptions = t.TypeOf<typeof TrainingOptions>
