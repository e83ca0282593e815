/** A training run in a folder: a new one, or where its last checkpoint left it. */
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { oneOf } from '../src/codec/fields.ts'
import { flagName } from '../src/codec/flag.ts'
import { Gpt2Config } from '../src/codec/gpt2.ts'
import type { ModelConfig } from '../src/codec/model.ts'
import { TrainingOptions } from '../src/codec/training.ts'
import type { Engine } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import { readLatest } from './checkpoint.ts'
import { readConfig } from './folder.ts'
import { CONFIG } from './modelFiles.ts'
import { type PresetName, presetConfig, presets, presetTraining, type TokenizerChoice } from './presets.ts'
import { digest } from './readText.ts'
import { openRunFolder } from './runFolder.ts'
import { type RunIdentity, RunRecord, resumedOptions, same } from './runRecord.ts'
import type { Snapshot } from './runTraining.ts'
import { openTokenizer } from './tokenizerFiles.ts'
import { encodeParts, learnTokenizer, splitText } from './trainingData.ts'
import type { TrainingRun } from './trainingRun.ts'

/** Sizes of the model; null is the preset's. */
export interface ModelShape {
  readonly layers: number | null
  readonly heads: number | null
  readonly width: number | null
  /** Positions of one sequence. */
  readonly context: number | null
}

export interface TrainingFolderOptions {
  /** Where checkpoints and the model go. */
  readonly out: string
  /** All of the text; its end is held out for validation. */
  readonly text: string
  readonly engine: Engine
  /** The run's own when it goes on, else `nanogpt-cpu`, unless given. */
  readonly preset?: PresetName | null
  /** Instead of the preset's tokenizer: characters, or byte-level BPE of so many tokens. */
  readonly vocabulary?: number | 'characters' | null
  readonly shape?: Partial<ModelShape>
  /** Training options by name (`TrainingOptions`), undecoded; errors name their flags. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Go on from the last checkpoint, where there is one; false unless given. */
  readonly resume?: boolean
}

const presetShape: ModelShape = { layers: null, heads: null, width: null, context: null }

const completed = ({
  preset = null,
  vocabulary = null,
  shape = {},
  own = {},
  resume = false,
  ...rest
}: TrainingFolderOptions): Given => ({ ...rest, preset, vocabulary, shape: { ...presetShape, ...shape }, own, resume })

interface Given extends Required<TrainingFolderOptions> {
  readonly shape: ModelShape
}

/** Everything that `trainInFolder` runs. */
export interface TrainingFolder {
  readonly out: string
  readonly run: TrainingRun
  readonly tokenizer: Tokenizer
  readonly identity: RunIdentity
  /** Why a resumed run goes on, but not bit for bit (law L11); null where it does. */
  readonly inexact: string | null
}

export const PresetNameCodec = oneOf('nanogpt-cpu', 'shakespeare', 'tiny')

/** Prepares a run and its folder. See `openRunFolder`. */
export const trainingFolder = async (options: TrainingFolderOptions): Promise<TrainingFolder> => {
  const given = completed(options)
  return openRunFolder(
    'a language model',
    given,
    () => begun(given),
    checkpoint => resumed(given, checkpoint),
  )
}

const begun = ({ out, text, engine, preset: name, vocabulary, shape, own }: Given): TrainingFolder => {
  const preset = presets[name ?? 'nanogpt-cpu']
  const options = presetTraining(preset, own, flagName)
  const parts = splitText(text, options.validation)
  const tokenizer = learnTokenizer(choiceOf(vocabulary, preset.tokenizer), parts)
  const shaped = { ...preset, model: { ...preset.model, ...fieldsOf(shape) } }
  const base = presetConfig(shaped, tokenizer.vocabularySize, options.dropout)
  const config = { ...base, bos_token_id: beginId(tokenizer, parts.training), eos_token_id: tokenizer.endId }
  const ids = encode(tokenizer, text, options, config)
  const identity = {
    preset: name ?? 'nanogpt-cpu',
    vocabulary,
    options,
    text: digest(text),
    engine: engine.name,
    backend: engine.backend,
  }
  return { out, tokenizer, identity, inexact: null, run: { engine, config, options, ...ids, from: null } }
}

const resumed = async (given: Given, checkpoint: string): Promise<TrainingFolder> => {
  const { out, text, engine } = given
  const config = readConfig(checkpoint)
  const latest = readLatest(out, RunRecord)
  if (latest === null) throw new InputError(`${out}: expected a checkpoint, found none`)
  const { step, tensors, optimizer, state } = latest
  const options = resumedOptions(TrainingOptions, state.options, given.own, out)
  if (given.preset !== null) same('--preset', state.preset, given.preset, out)
  if (given.vocabulary !== null) same('--vocabulary', state.vocabulary, given.vocabulary, out)
  const fields = new Map<string, unknown>(Object.entries(config))
  for (const [field, size] of Object.entries(fieldsOf(given.shape))) same(field, fields.get(field), size, out)
  same('--engine', state.engine, engine.name, out)
  if (state.text !== digest(text))
    throw new InputError(`text: expected the one of the run in ${out}, with SHA-256 ${state.text}, found another`)
  if (options.steps < step)
    throw new InputError(
      `--steps: expected at least the ${step} that the run in ${out} has done, found ${options.steps}`,
    )
  const tokenizer = await openTokenizer(checkpoint)
  const from: Snapshot = { step, parameters: tensors, optimizer: { tensors: optimizer, plain: state.optimizer } }
  const run = { engine, config, options, ...encode(tokenizer, text, options, config), from }
  const { backend } = engine
  const inexact =
    state.backend === null || state.backend === backend
      ? null
      : `the run began on ${state.backend} and goes on with ${backend}: not bit for bit as if never stopped`
  return { out, tokenizer, identity: { ...state, options, backend }, inexact, run }
}

/** The fields of config.json that a shape sets. */
const fieldsOf = ({ layers, heads, width, context }: ModelShape): Readonly<Record<string, number>> => ({
  ...(layers === null ? {} : { n_layer: layers }),
  ...(heads === null ? {} : { n_head: heads }),
  ...(width === null ? {} : { n_embd: width }),
  ...(context === null ? {} : { n_positions: context }),
})

const choiceOf = (vocabulary: number | 'characters' | null, preset: TokenizerChoice): TokenizerChoice =>
  vocabulary === null ? preset : vocabulary === 'characters' ? vocabulary : { bpe: vocabulary }

/** The token that a text without a prompt begins after: the end of a line, as nanoGPT does, else the text's first token. */
const beginId = (tokenizer: Tokenizer, text: string): number | null =>
  tokenizer.encode(text.includes('\n') ? '\n' : text.slice(0, 1))[0] ?? null

const encode = (tokenizer: Tokenizer, text: string, { block, validation }: TrainingOptions, config: ModelConfig) => {
  const positions = decodeOrThrow(Gpt2Config, config, CONFIG).n_positions
  if (block > positions)
    throw new InputError(`--block: expected at most the model's context of ${positions}, found ${block}`)
  return encodeParts(tokenizer, splitText(text, validation), block)
}
