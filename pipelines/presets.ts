import type * as t from 'io-ts'
import { decodeOrThrow, type Where } from '../src/codec/decode.ts'
import { Gpt2Config } from '../src/codec/gpt2.ts'
import { type OptimizerOptions, TrainingOptions } from '../src/codec/training.ts'

/** How a text becomes tokens: its characters, or byte-level BPE of so many tokens learnt from it. */
export type TokenizerChoice = 'characters' | { readonly bpe: number }

/** A model shape, its tokenizer and how it is trained; every number can be overridden. */
export interface Preset {
  readonly tokenizer: TokenizerChoice
  /** Configuration fields, all but the vocabulary's size. */
  readonly model: Readonly<Record<string, unknown>>
  readonly training: Readonly<Record<string, unknown>>
}

const bareModel = { activation_function: 'gelu', embd_pdrop: 0, resid_pdrop: 0, attn_pdrop: 0 }

export const presets = {
  /** nanoGPT's CPU configuration (its README, "I only have a macbook"): 0.8 M parameters on characters. */
  'nanogpt-cpu': {
    tokenizer: 'characters',
    model: { ...bareModel, n_layer: 4, n_head: 4, n_embd: 128, n_positions: 64, bias: false },
    training: {},
  },
  /** The bundled model: BPE on Shakespeare, small enough to ship. */
  shakespeare: {
    tokenizer: { bpe: 1024 },
    model: { ...bareModel, n_layer: 6, n_head: 6, n_embd: 192, n_positions: 256, activation_function: 'gelu_new' },
    training: {
      steps: 4000,
      batch: 8,
      block: 256,
      dropout: 0.2,
      learningRate: 1.5e-3,
      minimumLearningRate: 1.5e-4,
      checkpointEvery: 100,
    },
  },
  /** Seconds to train: for trying things out and for tests. */
  tiny: {
    tokenizer: 'characters',
    model: { ...bareModel, n_layer: 2, n_head: 2, n_embd: 32, n_positions: 32, bias: false },
    training: { steps: 200, batch: 8, block: 32, warmup: 10, evaluateEvery: 100, checkpointEvery: 50 },
  },
} as const satisfies Readonly<Record<string, Preset>>

export type PresetName = keyof typeof presets

/** The configuration of a preset for a vocabulary; dropout is the training option's. */
export const presetConfig = (preset: Preset, vocabulary: number, dropout: number): Gpt2Config =>
  decodeOrThrow(
    Gpt2Config,
    { ...preset.model, vocab_size: vocabulary, embd_pdrop: dropout, resid_pdrop: dropout },
    'model',
  )

/** A preset's training options under the user's own; see `trainingUnder`. */
export const presetTraining = (preset: Preset, own: Readonly<Record<string, unknown>>, where: Where): TrainingOptions =>
  trainingUnder(TrainingOptions, preset.training, own, where)

/** Training options, the usual ones under the user's own. What the user did not give yields to what was: fewer steps shorten the warm-up. */
export const trainingUnder = <A extends OptimizerOptions>(
  codec: t.Type<A, unknown, unknown>,
  usualFields: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, unknown>>,
  where: Where,
): A => {
  const usual = decodeOrThrow(codec, usualFields, where)
  const { warmup = null, minimumLearningRate = null } = own
  const asked = decodeOrThrow(
    codec,
    { ...usual, ...own, warmup: warmup ?? 0, minimumLearningRate: minimumLearningRate ?? 0 },
    where,
  )
  return {
    ...asked,
    warmup: warmup === null ? Math.min(usual.warmup, asked.steps) : asked.warmup,
    minimumLearningRate:
      minimumLearningRate === null
        ? Math.min(usual.minimumLearningRate, asked.learningRate)
        : asked.minimumLearningRate,
  }
}
