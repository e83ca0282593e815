/**
 * What is alive after 1,000 training steps beside before them, in one `trainingRun`: the preset `tiny` on random text, validated on the way. The
 * run begins 4,000 steps earlier: the host's compiler works that long on the code. On one thread: V8 does not count a memory that threads share.
 */
import { lastValueFrom, tap } from 'rxjs'
import { presetConfig, presets, presetTraining } from '../../pipelines/presets.ts'
import { trainingRun } from '../../pipelines/trainingRun.ts'
import { integers, key } from '../../src/random.ts'
import { aliveBytes, MEGABYTE } from '../memory.ts'
import { benchEngine } from '../ours.ts'
import { figure } from '../results.ts'
import type { Row } from '../row.ts'

const THREADS = 1
const WARM_UP = 4_000
const STEPS = 1_000
const PERIOD = 100
const VOCABULARY = 65

export const row: Row = {
  name: 'memory-train',
  title: 'memory alive after 1,000 training steps, 2 layers x 32',
  unit: 'MB',
  target: 'ratio >= 0.99',
  peer: 'the same run 1,000 steps earlier',
  run: async () => {
    const engine = benchEngine(THREADS)
    const preset = presets.tiny
    const options = presetTraining(
      preset,
      { steps: WARM_UP + STEPS + 1, evaluateEvery: 250, checkpointEvery: 0 },
      'bench',
    )
    const text = Int32Array.from(integers(key(0), 50_000, VOCABULARY))
    const alive: number[] = []
    const resident: number[] = []
    await lastValueFrom(
      trainingRun({
        engine,
        config: presetConfig(preset, VOCABULARY, options.dropout),
        options,
        training: text.subarray(0, 45_000),
        validation: text.subarray(45_000),
        from: null,
      }).pipe(
        tap(({ step }) => {
          if (step < WARM_UP || step % PERIOD !== 0) return
          alive.push(aliveBytes() / MEGABYTE)
          resident.push(process.memoryUsage().rss / MEGABYTE)
        }),
      ),
    )
    const { allocated, freed } = engine.counter
    const [early, late] = [alive[0], alive.at(-1)]
    if (early === undefined || late === undefined) throw new Error('the run ended early')
    return {
      value: late,
      peerValue: early,
      ratio: early / late,
      threads: THREADS,
      runs: 1,
      note: `${engine.backend}; heap after a collection and everything outside it; grew by ${figure((late - early) * 1000)} kB; resident ${resident.map(figure).join(', ')} MB at each 100; validated every 250 steps; ${allocated - freed} tensors left at the end`,
      details: { alive, resident },
    }
  },
}
