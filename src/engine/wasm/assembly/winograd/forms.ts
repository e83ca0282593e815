/**
 * Convolution with a window of 3 x 3 after Winograd: tiles of 4 x 4 outputs, Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A summed over channels as products
 * of matrices, one a point. Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", arXiv 1509.09308.
 * A tile's numbers depend on its own inputs alone: neither on its batch nor on threads. They are off by more than a direct sum's,
 * some four times as much, within the bound of law K1 that running these transforms gives. Work is counted in quads: four tiles of one
 * image; a block of them puts its tiles into the lanes of vectors, those of several images side by side (layout.ts).
 *
 * PLAIN: stride 1, F(4 x 4, 3 x 3), 36 products a tile instead of 144, fewer in the last tiles of a plane (shortTiles.ts); its gradient of the
 * input is another of its kind.
 *
 * HALVED: stride 2 and padding 1. The outer taps of a window, 0 and 2, fall on every other element from 0 on, the middle one on those between:
 * four phases, by rows and by columns, which are convolutions of windows of 2 or 1, F(4, 2). The middle tap is one of two whose second
 * is 0: it needs no point at infinity. So 25 points hold 81 products, those of some points over fewer phases.
 * In the order middle columns, none, middle rows, both, the phases of a point follow each other; its first is `firstPhase`.
 *
 * DOUBLED: the gradient of its input, a tile of 8 x 8 from 25 points of dy, each phase with the outputs of its own.
 */

export const PLAIN: i32 = 0
export const HALVED: i32 = 1
export const DOUBLED: i32 = 2

/** Side of a tile's outputs, of each phase. */
export const OUT: i32 = 4
/** Phases of a stride of 2. */
export const PHASES: i32 = 4
export const MIDDLE_COLUMNS: i32 = 0
export const NO_MIDDLE: i32 = 1
export const MIDDLE_ROWS: i32 = 2
export const BOTH_MIDDLE: i32 = 3
/** Points a side of F(4, 2); the last one is at infinity. */
export const SIDE: i32 = 5
/** Bytes between points beside their numbers: points a power of two apart would share a few sets of the first-level cache. */
export const APART: usize = 64

/** Points a side of a tile. */
@inline
export function pointSide(form: i32): i32 {
  return form == PLAIN ? 6 : SIDE
}

@inline
export function pointsOf(form: i32): i32 {
  return pointSide(form) * pointSide(form)
}

/** The first of a point's phases, and how many. */
@inline
export function firstPhase(point: i32): i32 {
  return point % SIDE == SIDE - 1 ? NO_MIDDLE : MIDDLE_COLUMNS
}

@inline
export function phasesOf(point: i32): i32 {
  return (point % SIDE == SIDE - 1 ? 1 : 2) * (point >= SIDE * (SIDE - 1) ? 1 : 2)
}

/** Tiles of a side of the plane that is written, `length` long. */
@inline
export function tilesOf(form: i32, length: i32): i32 {
  const out = form == DOUBLED ? 2 * OUT : OUT
  return (length + out - 1) / out
}
