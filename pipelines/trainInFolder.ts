import { concat, defer, EMPTY, type Observable, tap } from 'rxjs'
import { tokenizerConfigJson, tokenizerJson } from '../operators/token/tokenizerJson.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { GenerationConfig } from '../src/codec/generation.ts'
import { writeCheckpoint } from './checkpoint.ts'
import { type ModelContents, modelFiles, writeFolder } from './folder.ts'
import { TOKENIZER } from './modelFiles.ts'
import { RunRecord } from './runRecord.ts'
import type { TrainingFolder } from './trainingFolder.ts'
import { type RunStep, type Snapshot, trainingRun } from './trainingRun.ts'

/** How nanoGPT's sample.py draws. */
const DRAWING = { do_sample: true, temperature: 0.8, top_k: 200 }

/** The model folder of a run, but for its weights. */
const contentsOf = ({ run: { config }, tokenizer }: TrainingFolder): Omit<ModelContents, 'tensors'> => {
  const { bos_token_id, eos_token_id } = config
  return {
    config,
    generation: decodeOrThrow(GenerationConfig, { ...DRAWING, bos_token_id, eos_token_id }, 'generation'),
    files: new Map([
      [TOKENIZER, tokenizerJson(tokenizer)],
      ['tokenizer_config.json', tokenizerConfigJson(tokenizer)],
    ]),
  }
}

/**
 * Runs the training: each snapshot becomes a checkpoint, which also opens as a model, before its step is emitted; the finished
 * model's files go to the top of the folder. Law L11.
 */
export const trainInFolder = (folder: TrainingFolder): Observable<RunStep> =>
  defer(() => {
    const { out, run, identity } = folder
    const { keep } = run.options
    const contents = contentsOf(folder)
    const files = modelFiles({ ...contents, tensors: new Map() })
    let latest = run.from
    const save = ({ step, parameters: tensors, optimizer }: Snapshot): void => {
      const state = { ...identity, optimizer: optimizer.plain }
      writeCheckpoint(out, { step, tensors, optimizer: optimizer.tensors, state }, RunRecord, { keep, files })
    }
    const steps$ = trainingRun(run).pipe(
      tap(({ snapshot }) => {
        if (snapshot === null) return
        save(snapshot)
        latest = snapshot
      }),
    )
    const finish$ = defer(() => {
      if (latest !== null) writeFolder(out, { ...contents, tensors: latest.parameters })
      return EMPTY
    })
    return concat(steps$, finish$)
  })
