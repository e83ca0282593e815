/**
 * What is alive after 10,000 decoding steps beside after 1,000, in one run of `generate`: 4 layers x 128, a context that holds them all. On one
 * thread: V8 does not count a memory that threads share.
 */
import { lastValueFrom, tap } from 'rxjs'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { generate } from '../../pipelines/generate.ts'
import { upload } from '../../pipelines/parameters.ts'
import { aliveBytes, MEGABYTE } from '../memory.ts'
import { benchEngine, characters, modelOf } from '../ours.ts'
import { figure } from '../results.ts'
import type { Row } from '../row.ts'
import { type GptShape, gptWeights, nanogptCpu } from '../weights.ts'

const STEPS = 10_000
const EARLY = 1_000
const THREADS = 1
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
    const engine = benchEngine(THREADS)
    const parameters = upload(gptWeights(shape, 0.1), engine)
    const tokenizer = trainCharacterTokenizer([characters(shape.vocabulary)])
    const alive: number[] = []
    const resident: number[] = []
    let count = 0
    const model = { model: modelOf(shape), parameters, tokenizer }
    const decode = (tokens: number) => generate(model, Int32Array.from(prompt), { tokens, seed: 1 })
    for (let i = 0; i < WARM_UP; i++) await lastValueFrom(decode(STEPS))
    const end = await lastValueFrom(
      decode(STEPS).pipe(
        tap(() => {
          count++
          if (count % EARLY !== 0) return
          alive.push(aliveBytes() / MEGABYTE)
          resident.push(process.memoryUsage().rss / MEGABYTE)
        }),
      ),
    )
    for (const parameter of Object.values(parameters)) parameter.release()
    const { allocated, freed } = engine.counter
    const [early, late] = [alive[0], alive.at(-1)]
    if (early === undefined || late === undefined || count !== STEPS)
      throw new Error(`the run ended after ${count} tokens, at position ${end.position}`)
    return {
      value: late,
      peerValue: early,
      ratio: early / late,
      threads: THREADS,
      runs: 1,
      note: `${engine.backend}; heap after a collection and everything outside it; grew by ${figure((late - early) * 1000)} kB in 9,000 steps; resident ${resident.map(figure).join(', ')} MB at each 1,000; ${allocated - freed} tensors left at the end`,
      details: { alive, resident },
    }
  },
}
