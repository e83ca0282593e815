import type { Observable } from 'rxjs'
import { tokenizerConfigJson, tokenizerJson } from '../operators/token/tokenizerJson.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { GenerationConfig } from '../src/codec/generation.ts'
import { type ModelContents, modelFiles } from './folder.ts'
import { TOKENIZER } from './modelFiles.ts'
import { runInFolder } from './runFolder.ts'
import { RunRecord } from './runRecord.ts'
import type { RunStep } from './runTraining.ts'
import type { TrainingFolder } from './trainingFolder.ts'
import { trainingRun } from './trainingRun.ts'

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

/** Runs the training; each checkpoint also opens as a model. See `runInFolder`. Law L11. */
export const trainInFolder = (folder: TrainingFolder): Observable<RunStep> => {
  const { out, run, identity } = folder
  const contents = contentsOf(folder)
  return runInFolder({
    out,
    steps$: trainingRun(run),
    from: run.from,
    codec: RunRecord,
    checkpointOf: ({ step, parameters, optimizer }) => ({
      step,
      tensors: parameters,
      optimizer: optimizer.tensors,
      state: { ...identity, optimizer: optimizer.plain },
    }),
    keep: run.options.keep,
    files: modelFiles({ ...contents, tensors: new Map() }),
    modelOf: ({ parameters }) => modelFiles({ ...contents, tensors: parameters }),
  })
}
