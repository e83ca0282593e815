/** What is alive after 10,000 decoding steps beside after 1,000, in one run of `generate`: 4 layers x 128, a context that holds them all. */
import { lastValueFrom, tap } from 'rxjs'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { generate } from '../../pipelines/generate.ts'
import { upload } from '../../pipelines/parameters.ts'
import { forgetEarlier, type Moment, memoryNow, rise } from '../memory.ts'
import { benchEngine, characters, modelOf, THREADS } from '../ours.ts'
import type { Row } from '../row.ts'
import { type GptShape, gptWeights, nanogptCpu } from '../weights.ts'

const STEPS = 10_000
const EARLY = 1_000
/** Runs before the one that is measured: V8 still compiles, and keeps what it compiled, in the second. */
const WARM_UP = 2
const prompt = Array.from({ length: 32 }, (_, i) => (i * 7) % nanogptCpu.vocabulary)
const shape: GptShape = { ...nanogptCpu, block: STEPS + prompt.length }

export const row: Row = {
  name: 'memory-decode',
  title: 'memory alive after 10,000 decoding steps, 4 layers x 128',
  unit: 'MB',
  target: 'ratio >= 0.99',
  peer: 'the same run after 1,000',
  run: async () => {
    await forgetEarlier()
    const engine = benchEngine()
    const parameters = upload(gptWeights(shape, 0.1), engine)
    const tokenizer = trainCharacterTokenizer([characters(shape.vocabulary)])
    const moments: Moment[] = []
    let count = 0
    const model = { model: modelOf(shape), parameters, tokenizer }
    const decode = (tokens: number) => generate(model, Int32Array.from(prompt), { tokens, seed: 1 })
    for (let i = 0; i < WARM_UP; i++) await lastValueFrom(decode(STEPS))
    const end = await lastValueFrom(
      decode(STEPS).pipe(
        tap(() => {
          count++
          if (count % EARLY === 0) moments.push(memoryNow())
        }),
      ),
    )
    for (const parameter of Object.values(parameters)) parameter.release()
    engine.close()
    const { allocated, freed } = engine.counter
    const [early, late] = [moments[0], moments.at(-1)]
    if (early === undefined || late === undefined || count !== STEPS)
      throw new Error(`the run ended after ${count} tokens, at position ${end.position}`)
    return {
      value: late.alive,
      peerValue: early.alive,
      ratio: early.alive / late.alive,
      threads: THREADS,
      runs: 1,
      note: `${engine.backend}; heap of the main thread after a collection and everything outside it; in the last 9,000 steps it ${rise(early, late)}; ${allocated - freed} tensors left at the end`,
      details: { alive: moments.map(one => one.alive), resident: moments.map(one => one.resident) },
    }
  },
}
