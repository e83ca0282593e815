import type { Planes } from '../../operators/convolution/planes.ts'
import type { Operator } from '../../src/operator.ts'
import type { Times } from '../../src/tensor/times.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'

/** Noisy pictures, the time of each, and what each shows: class ids (batch, 1), where the number of classes says nothing. */
export type Noisy = readonly [Planes, Times, Tokens]

/** A network that predicts, of the pictures' shape, what its diffusion wants: see `Parametrization`. */
export type ClassConditionalModel = Operator<Noisy, Planes>
