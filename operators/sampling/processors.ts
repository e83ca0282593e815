import { minP } from './minP.ts'
import { composeProcessors, type Processor, unchanged } from './processor.ts'
import { repetitionPenalty } from './repetitionPenalty.ts'
import { temperature } from './temperature.ts'
import { topK } from './topK.ts'
import { topP } from './topP.ts'

export interface ProcessorOptions {
  /** Each is the identity unless said; null topK keeps all. */
  readonly repetitionPenalty?: number
  readonly temperature?: number
  readonly topK?: number | null
  readonly topP?: number
  readonly minP?: number
}

/** The usual processors in Hugging Face's order: repetition penalty, temperature, top-k, top-p, min-p. */
export const processors = (options: ProcessorOptions): Processor =>
  composeProcessors(
    repetitionPenalty(options.repetitionPenalty ?? 1),
    temperature(options.temperature ?? 1),
    options.topK == null ? unchanged : topK(options.topK),
    topP(options.topP ?? 1),
    minP(options.minP ?? 0),
  )
