import type { Command } from 'commander'
import * as t from 'io-ts'
import type { Observable } from 'rxjs'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nonEmptyText, nullable, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { GenerationOptions, generationDefaults, generationFields } from '../../src/codec/generation.ts'
import { openModel } from '../folder.ts'
import { type Generated, generate } from '../generate.ts'
import { type GeneratedSample, generateSamples, sampleCount } from '../generateSamples.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { bundledModel, modelPath } from './modelPath.ts'
import { grouped, type Printer } from './printer.ts'

const help = {
  tokens: 'most tokens to generate (256)',
  samples: 'so many texts at once, each printed when it ends; text i is the same however many there are',
  temperature: 'divides the logits: below 1 bolder, above 1 more varied (1)',
  topK: 'draw from the k most probable tokens',
  topP: 'draw from the fewest tokens that have this probability together (1)',
  minP: 'draw from tokens at least this probable, relative to the most probable one (0)',
  repetitionPenalty: 'divides the odds of tokens already there (1)',
} as const

const GenerateFlags = t.type({
  model: withDefault(nonEmptyText, bundledModel()),
  samples: nullable(fromText(sampleCount)),
})

const repeated = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** How tokens are shown: each when it comes, and what is still to be said at the end. */
interface Display<G> {
  readonly show: (generated: G) => void
  readonly end: () => void
}

/** One text, as it is produced. */
const streamed = (say: Printer): Display<Generated> => ({
  show: generated => say.result(generated, generated.text),
  end: () => say.text('\n'),
})

/** Several texts: each as a block when it ends, those that were interrupted at the end. */
const blocks = (say: Printer): Display<GeneratedSample> => {
  const texts = new Map<number, string>()
  const blockOf = (sample: number): string => `--- sample ${sample} ---\n${texts.get(sample) ?? ''}\n`
  return {
    show: generated => {
      const { sample, text, last } = generated
      texts.set(sample, (texts.get(sample) ?? '') + text)
      say.result(generated, last ? blockOf(sample) : '')
      if (last) texts.delete(sample)
    },
    end: () => {
      for (const sample of texts.keys()) say.text(blockOf(sample))
    },
  }
}

const run = async (prompt: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  // Flags first: a wrong one needs no model to be refused.
  const own = given(flags, Object.keys(generationFields))
  decodeOrThrow(GenerationOptions, own, flagName)
  const { model: folder, samples } = decodeOrThrow(GenerateFlags, flags, flagName)
  const path = modelPath(folder)
  const { engine, why } = await engineOf(flags)
  const opened = await openModel(path, engine)
  const options = decodeOrThrow(GenerationOptions, { ...generationDefaults(opened.generation), ...own }, flagName)

  const follow = async <G extends Generated>(generated$: Observable<G>, { show, end }: Display<G>): Promise<void> => {
    say.note(why)
    // On a terminal the text reads on from the prompt; the results on stdout are the new tokens alone.
    if (samples === null && io.stderr.isTTY && io.stdout.isTTY) io.stderr.write(prompt)
    const began = performance.now()
    let [count, first, last] = [0, 0, 0]
    try {
      await consume(generated$, io, generated => {
        last = generated.position
        if (count++ === 0) first = last
        show(generated)
      })
    } finally {
      if (count > 0) {
        const seconds = (performance.now() - began) / 1000
        end()
        say.note(`${grouped(count)} tokens, ${(count / seconds).toFixed(1)} tokens/s`)
        if (last - first + 1 < options.tokens && last === opened.model.positions)
          say.note(`stopped at the model's context of ${grouped(last)} positions`)
      }
    }
  }
  if (samples === null) await follow(generate(opened, prompt, options), streamed(say))
  else await follow(generateSamples(opened, prompt, { ...options, samples }), blocks(say))
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
