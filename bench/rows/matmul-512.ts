/** f32 matmul 512 x 512 x 512, one thread. */
import { matmulRow } from '../matmulRow.ts'

export const row = matmulRow(512)
