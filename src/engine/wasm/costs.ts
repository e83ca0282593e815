/** Nanoseconds a number on one thread, measured on one machine: they decide when splitting a kernel pays, never what it computes. */
export const COST = {
  move: 0.15,
  arithmetic: 0.25,
  function: 0.8,
  derivative: 1.2,
  norm: 0.7,
  random: 0.8,
  /** One multiply and add of a product in cache. */
  product: 0.045,
  /** One, of a matrix that is read once. */
  stream: 0.2,
} as const

export const FLOAT = 4
/** Up to here a product reads y once, unpacked (assembly/gemm.ts). */
export const FEW_ROWS = 3
