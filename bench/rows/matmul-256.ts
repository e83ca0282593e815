/** f32 matmul 256 x 256 x 256, one thread. */
import { matmulRow } from '../matmulRow.ts'

export const row = matmulRow(256)
