import type { Planes } from '../../operators/convolution/planes.ts'
import type { Operator } from '../../src/operator.ts'
import type { Times } from '../../src/tensor/times.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'

/** Noisy pictures, the time of each, and token ids of what each shows: its class (batch, 1), the number of classes for none; or a text (batch, time). */
export type Noisy = readonly [Planes, Times, Tokens]

/** A network that predicts, of the pictures' shape, what its diffusion wants: see `Parametrization`. */
export type ClassConditionalModel = Operator<Noisy, Planes>

/** The same, told texts. */
export type TextConditionalModel = Operator<Noisy, Planes>
