import type { Tensor } from '../../src/tensor/tensor.ts'

/** Images and what convolutions make of them. */
export type Planes = Tensor<readonly ['batch', 'channels', 'height', 'width']>
