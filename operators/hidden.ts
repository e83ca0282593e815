import type { Tensor } from '../src/tensor/tensor.ts'

/** What flows between blocks: one vector a position. */
export type Hidden = Tensor<readonly ['batch', 'time', 'width']>

/** Scores of the next token over the vocabulary. */
export type Logits = Tensor<readonly ['batch', 'time', 'vocabulary']>
