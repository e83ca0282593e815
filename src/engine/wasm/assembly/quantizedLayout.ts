/** How weights and rows in blocks of 8 bits lie in memory; see quantized.ts. */
export const BLOCK: i32 = 32
export const PANEL: i32 = 16
/** Bytes of a panel's block, of its scales, and of a quad. */
export const BLOCK_BYTES: usize = 544
export const SCALES: usize = 32
export const QUAD: usize = 64
/** Bytes of a row's block: numbers, and elsewhere its scale and correction. */
export const ROW_BYTES: usize = 64
export const SCALE_BYTES: usize = 8
