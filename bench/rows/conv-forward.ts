/** Convolutions of a U-Net, forward. */
import { convolutionRow } from '../convolutionRow.ts'

export const row = convolutionRow('forward')
