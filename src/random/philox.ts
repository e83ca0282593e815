/**
 * Philox4x32-10, a counter-based generator: a keyed bijection of 128-bit counters, so that any number of a stream is
 * computed from its index alone (law R4), on any engine, with 32-bit integer arithmetic only.
 *
 * One round: (c0, c1, c2, c3) -> (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)); the key grows by the
 * Weyl constants between rounds; ten rounds.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3.
 */

const M0 = 0xd2511f53
const M1 = 0xcd9e8d57
const M0_LOW = M0 & 0xffff
const M0_HIGH = M0 >>> 16
const M1_LOW = M1 & 0xffff
const M1_HIGH = M1 >>> 16
const WEYL0 = 0x9e3779b9
const WEYL1 = 0xbb67ae85
const ROUNDS = 10

/** Writes the 4 words of the block at counter (c0, c1, c2, c3) under key (k0, k1) to `out[offset … offset + 3]`. */
export const philox = (
  out: Uint32Array,
  offset: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void => {
  let a = c0 | 0
  let b = c1 | 0
  let c = c2 | 0
  let d = c3 | 0
  let x = k0 | 0
  let y = k1 | 0
  for (let round = 0; round < ROUNDS; round++) {
    // 32 x 32 -> 64 bits from 16-bit halves; each partial sum fits 32 unsigned bits, so int32 wrap-around is harmless.
    const aLow = a & 0xffff
    const aHigh = a >>> 16
    const aMid = (Math.imul(aHigh, M0_LOW) + (Math.imul(aLow, M0_LOW) >>> 16)) | 0
    const aMid2 = (Math.imul(aLow, M0_HIGH) + (aMid & 0xffff)) | 0
    const high0 = (Math.imul(aHigh, M0_HIGH) + (aMid >>> 16) + (aMid2 >>> 16)) | 0
    const cLow = c & 0xffff
    const cHigh = c >>> 16
    const cMid = (Math.imul(cHigh, M1_LOW) + (Math.imul(cLow, M1_LOW) >>> 16)) | 0
    const cMid2 = (Math.imul(cLow, M1_HIGH) + (cMid & 0xffff)) | 0
    const high1 = (Math.imul(cHigh, M1_HIGH) + (cMid >>> 16) + (cMid2 >>> 16)) | 0
    const low0 = Math.imul(a, M0)
    const low1 = Math.imul(c, M1)
    a = high1 ^ b ^ x
    b = low1
    c = high0 ^ d ^ y
    d = low0
    x = (x + WEYL0) | 0
    y = (y + WEYL1) | 0
  }
  out[offset] = a
  out[offset + 1] = b
  out[offset + 2] = c
  out[offset + 3] = d
}
