/** Convolutions of a U-Net, the gradients of input and weight. */
import { convolutionRow } from '../convolutionRow.ts'

export const row = convolutionRow('backward')
