import type { Engine } from '../../src/engine/engine.ts'
import { tensorsOf } from '../../src/tensor/scope.ts'
import { engineOf, type Flags } from './common.ts'
import { type Measured, measureAll } from './inspectionText.ts'
import type { Printer } from './printer.ts'

export interface Inspected<P, M> {
  /** What is known without computing, its `types` of stored tensors included. */
  readonly told: object
  readonly upload: (engine: Engine) => P
  readonly measure: (parameters: P, engine: Engine) => Promise<M>
  readonly textOf: (engine: Engine, backend: string, measured: readonly Measured<M>[]) => string
}

/** Says what a model is and costs, with times of its parameters on the engine unless `flags` say not to measure. */
export const reportInspection = async <P, M>(
  { told, upload, measure, textOf }: Inspected<P, M>,
  flags: Flags,
  say: Printer,
): Promise<void> => {
  const { engine, why } = await engineOf(flags)
  say.note(why)
  const measureOn = async (each: Engine): Promise<M> => {
    const parameters = upload(each)
    const measurement = await measure(parameters, each)
    for (const parameter of tensorsOf(parameters)) parameter.release()
    return measurement
  }
  const measured = flags.measure === false ? [] : await measureAll(engine, measureOn)
  const { name, backend } = engine
  say.result({ ...told, engine: { name, backend }, measured }, textOf(engine, `${name} (${backend})`, measured))
}
