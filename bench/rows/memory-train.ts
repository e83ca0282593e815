/**
 * What is alive 1,000 training steps on, in one `trainingRun`: the preset `nanogpt-cpu` on random text, validated on the way. The run begins 1,000 steps
 * earlier: the first validations grow the engine's memory between the blocks of training, and V8 compiles.
 */
import { lastValueFrom, tap } from 'rxjs'
import { presetConfig, presets, presetTraining } from '../../pipelines/presets.ts'
import { trainingRun } from '../../pipelines/trainingRun.ts'
import { integers, key } from '../../src/random.ts'
import { forgetEarlier, type Moment, memoryNow, rise } from '../memory.ts'
import { benchEngine, THREADS } from '../ours.ts'
import { figure } from '../results.ts'
import type { Row } from '../row.ts'

const WARM_UP = 1_000
const STEPS = 1_000
const PERIOD = 50
const VALIDATE = 100
const VOCABULARY = 65

export const row: Row = {
  name: 'memory-train',
  title: 'memory alive after 2,000 training steps, 4 layers x 128',
  unit: 'MB',
  target: 'ratio >= 0.99',
  peer: 'the same run after 1,000',
  run: async () => {
    await forgetEarlier()
    const engine = benchEngine()
    const preset = presets['nanogpt-cpu']
    const options = presetTraining(
      preset,
      { steps: WARM_UP + STEPS + 1, evaluateEvery: VALIDATE, checkpointEvery: 0 },
      'bench',
    )
    const text = Int32Array.from(integers(key(0), 50_000, VOCABULARY))
    const moments: Moment[] = []
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
          if (step > 0 && step % PERIOD === 0) moments.push(memoryNow())
        }),
      ),
    )
    engine.close()
    const { allocated, freed } = engine.counter
    const [first, early, late] = [PERIOD, WARM_UP, WARM_UP + STEPS].map(step => moments[step / PERIOD - 1])
    if (first === undefined || early === undefined || late === undefined) throw new Error('the run ended early')
    return {
      value: late.alive,
      peerValue: early.alive,
      ratio: early.alive / late.alive,
      threads: THREADS,
      runs: 1,
      note: `${engine.backend}; heap of the main thread after a collection and everything outside it; in the last 1,000 steps it ${rise(early, late)}; ${figure(first.alive)} MB after ${PERIOD} steps, before the first validation, one each ${VALIDATE} steps; ${allocated - freed} tensors left at the end`,
      details: { alive: moments.map(one => one.alive), resident: moments.map(one => one.resident) },
    }
  },
}
