/** What every training run in a folder has in common: where it begins, its checkpoints, the model at its end. */
import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import type * as t from 'io-ts'
import { concat, defer, EMPTY, type Observable, tap } from 'rxjs'
import type { ModelKind } from '../src/codec/kind.ts'
import { InputError } from '../src/errors.ts'
import { type Checkpoint, latestCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { ensureFolder, onPath, type Pieces } from './files.ts'
import { expectNoModel, folderSource, writeFiles } from './folder.ts'
import { modelKind } from './modelFiles.ts'
import type { RunStep, Snapshot } from './runTraining.ts'

/**
 * A new run in a folder, or the one that its last checkpoint left. A folder that holds another run, one that trains another kind of model, or a model already, or
 * cannot be written, is an InputError now, not after the first steps.
 */
export const openRunFolder = async <A>(
  kind: ModelKind,
  { out, resume }: { readonly out: string; readonly resume: boolean },
  begin: () => A | Promise<A>,
  goOn: (checkpoint: string) => A | Promise<A>,
): Promise<A> => {
  const checkpoint = latestCheckpoint(out)
  if (checkpoint !== null) {
    const found = modelKind(folderSource(checkpoint))
    if (found !== kind)
      throw new InputError(`${out}: holds another kind of run: expected one of ${kind}, found one of ${found}`)
    if (resume) return goOn(checkpoint)
    throw new InputError(`${out}: holds a training run already; go on with --resume, or choose another folder`)
  }
  expectNoModel(out)
  const begun = await begin()
  ensureFolder(resolve(out))
  onPath(out, () => accessSync(out, constants.W_OK))
  return begun
}

export interface FolderRun<S, R extends RunStep> {
  readonly out: string
  readonly steps$: Observable<R>
  /** Where the run goes on. */
  readonly from: Snapshot | null
  readonly codec: t.Type<S, unknown, unknown>
  readonly checkpointOf: (snapshot: Snapshot) => Checkpoint<S>
  /** Checkpoints to keep. */
  readonly keep: number
  /** Files that make a checkpoint open as a model, but for its weights. */
  readonly files: ReadonlyMap<string, Pieces>
  /** The files of the finished model. */
  readonly modelOf: (snapshot: Snapshot) => ReadonlyMap<string, Pieces>
}

/** Runs it: each snapshot becomes a checkpoint before its step is emitted, the last one the model at the top of the folder. Law L11. */
export const runInFolder = <S, R extends RunStep>({
  out,
  steps$,
  from,
  codec,
  checkpointOf,
  keep,
  files,
  modelOf,
}: FolderRun<S, R>): Observable<R> =>
  defer(() => {
    let latest = from
    const saved$ = steps$.pipe(
      tap(({ snapshot }) => {
        if (snapshot === null) return
        writeCheckpoint(out, checkpointOf(snapshot), codec, { keep, files })
        latest = snapshot
      }),
    )
    const finish$ = defer(() => {
      if (latest !== null) writeFiles(out, modelOf(latest))
      return EMPTY
    })
    return concat(saved$, finish$)
  })
