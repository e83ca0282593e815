import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nonEmptyText, withDefault } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import { GenerationOptions, generationDefaults, generationFields } from '../../src/codec/generation.ts'
import { openModel } from '../folder.ts'
import { generate } from '../generate.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { bundledModel, modelPath } from './modelPath.ts'
import { grouped } from './printer.ts'

const help = {
  tokens: 'most tokens to generate (256)',
  temperature: 'divides the logits: below 1 bolder, above 1 more varied (1)',
  topK: 'draw from the k most probable tokens',
  topP: 'draw from the fewest tokens that have this probability together (1)',
  minP: 'draw from tokens at least this probable, relative to the most probable one (0)',
  repetitionPenalty: 'divides the odds of tokens already there (1)',
} as const

const ModelFlags = t.type({ model: withDefault(nonEmptyText, bundledModel()) })

const repeated = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

const run = async (prompt: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  // Flags first: a wrong one needs no model to be refused.
  const own = given(flags, Object.keys(generationFields))
  decodeOrThrow(GenerationOptions, own, flagName)
  const path = modelPath(decodeOrThrow(ModelFlags, flags, flagName).model)
  const { engine, why } = await engineOf(flags)
  const opened = await openModel(path, engine)
  const options = decodeOrThrow(GenerationOptions, { ...generationDefaults(opened.generation), ...own }, flagName)
  const generated$ = generate(opened, prompt, options)

  say.note(why)
  // On a terminal the text reads on from the prompt; the results on stdout are the new tokens alone.
  if (io.stderr.isTTY && io.stdout.isTTY) io.stderr.write(prompt)
  const began = performance.now()
  let count = 0
  let position = 0
  try {
    await consume(generated$, io, generated => {
      count++
      position = generated.position
      say.result(generated, generated.text)
    })
  } finally {
    if (count > 0) {
      const seconds = (performance.now() - began) / 1000
      say.text('\n')
      say.note(`${grouped(count)} tokens, ${(count / seconds).toFixed(1)} tokens/s`)
      if (count < options.tokens && position === opened.model.positions)
        say.note(`stopped at the model's context of ${grouped(position)} positions`)
    }
  }
}

/** `fluxion generate [prompt]`: text streams out as it is produced. */
export const addGenerate = (program: Command, io: Io): void => {
  const command = program
    .command('generate')
    .description('Let a model continue a text; without one it begins by itself.')
    .argument('[prompt]', 'the text to continue', '')
    .option('--model <folder>', 'a Hugging Face folder, or one that `train` writes (default: the bundled model)')
  withCommonFlags(
    withFlags(command, help)
      .option('--greedy', 'always take the most probable token')
      .option('--no-greedy', 'draw, even where the model says greedy')
      .option('--stop <text>', 'end where this text would come; may be given several times', repeated),
  ).action((prompt: string, flags: Flags) => run(prompt, flags, io))
}
