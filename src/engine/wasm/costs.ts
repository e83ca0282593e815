/** Nanoseconds a number on one thread, measured on one machine: they decide when splitting a kernel pays, never what it computes. */
export const COST = {
  move: 0.05,
  /** A number of short rows. */
  rows: 0.2,
  /** A number of a permutation. */
  turned: 0.3,
  /** 0.15 where its operands lie in the thread's own cache. */
  arithmetic: 0.2,
  function: 1.1,
  norm: 0.35,
  normPullback: 0.45,
  adamW: 0.5,
  /** A part of a sum of squares (assembly/optimizer.ts). */
  squares: 1_500,
  random: 0.8,
  /** One multiply and add of a product. */
  product: 0.033,
  /** One, of a matrix that is read once. */
  stream: 0.06,
  /** One of attention with few queries, keys and values read where they are. */
  query: 0.15,
  /** One with weights of 8 bits, of 16 bits; a number rounded to 8 bits. */
  quantized: 0.036,
  halves: 0.05,
  rounding: 1.5,
} as const

export const FLOAT = 4
/** Up to here a product reads y once, unpacked (assembly/gemm.ts). */
export const FEW_ROWS = 3
/** Queries that attention takes at once: a unit of its work (assembly/attention.ts). */
export const QUERY_BLOCK = 128
/** Up to here a product reads y in panels once and in order. */
export const ONE_PASS = 16
/** Columns of a packed panel (assembly/tile.ts). */
export const PANEL = 8
