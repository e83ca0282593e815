/** f32 matmul 1024 x 1024 x 1024, one thread. */
import { matmulRow } from '../matmulRow.ts'

export const row = matmulRow(1024)
