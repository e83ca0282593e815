/** What tests of pipelines share: folders that go away, options, counters, engines that answer late, and models whose next token is known. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastValueFrom, type Observable, toArray } from 'rxjs'
import { embedding } from '../../operators/embedding.ts'
import { linear } from '../../operators/linear.ts'
import type { Tokenizer } from '../../operators/token/tokenizer.ts'
import type { Generated, GenerationModel } from '../../pipelines/generate.ts'
import type { LanguageModel } from '../../pipelines/languageModel.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { GenerationOptions } from '../../src/codec/generation.ts'
import { id } from '../../src/compose.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { tensor } from '../../src/tensor/tensor.ts'

/** A folder of its own, removed afterwards. */
export const inFolder = async (use: (folder: string) => unknown): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-'))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const generationOptions = (own: Readonly<Record<string, unknown>> = {}): GenerationOptions =>
  decodeOrThrow(GenerationOptions, own, 'options')

export const all = <T>(stream: Observable<T>): Promise<T[]> =>
  lastValueFrom(stream.pipe(toArray()), { defaultValue: [] })

export const textOf = (generated: readonly Generated[]): string => generated.map(({ text }) => text).join('')
export const idsOf = (generated: readonly Generated[]): number[] => generated.map(({ token }) => token)

/** Storages not yet freed (law S15). */
export const live = ({ counter }: Engine): number => counter.allocated - counter.freed

/** A model that counts its forward passes, and the tokens each took. */
export const counting = (model: LanguageModel): { readonly model: LanguageModel; readonly passes: number[] } => {
  const passes: number[] = []
  return {
    passes,
    model: {
      ...model,
      trunk: (context, input) => {
        passes.push(input.ids.length)
        return model.trunk(context, input)
      },
    },
  }
}

/** The same engine with a GPU's manners: every read is a promise, answered a macrotask later. */
export const readingLate = (engine: Engine): Engine => {
  const read = engine.read.bind(engine)
  engine.read = (storage, size) => {
    const data = read(storage, size)
    return new Promise(resolve => setImmediate(() => resolve(data)))
  }
  return engine
}

/** Runs `watch` before every read of an engine, with the number of reads so far. */
export const watchingReads = (engine: Engine, watch: (count: number) => void): Engine => {
  const read = engine.read.bind(engine)
  let count = 0
  engine.read = (storage, size) => {
    watch(++count)
    return read(storage, size)
  }
  return engine
}

/** A model that always says `next(token)`: one row of logits a token, by a table. */
export const scripted = (tokenizer: Tokenizer, engine: Engine, next: (token: number) => number): GenerationModel => {
  const vocabulary = tokenizer.vocabularySize
  const table = (hot: (row: number) => number): Float64Array => {
    const values = new Float64Array(vocabulary * vocabulary)
    for (let row = 0; row < vocabulary; row++) values[row * vocabulary + hot(row)] = 1
    return values
  }
  return {
    tokenizer,
    model: {
      trunk: embedding({ name: 'table', vocabulary, width: vocabulary }),
      tail: id(),
      head: linear({ name: 'head', from: 'width', to: 'vocabulary', width: vocabulary, bias: false, layout: 'conv1d' }),
      positions: 1000,
      vocabulary,
    },
    parameters: {
      'table.weight': tensor(engine, [vocabulary, vocabulary], table(next)),
      'head.weight': tensor(
        engine,
        [vocabulary, vocabulary],
        table(row => row).map(x => 30 * x),
      ),
    },
  }
}
