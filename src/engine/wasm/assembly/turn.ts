/** Four rows of four numbers into four columns, `step` bytes apart; all is read before any is written. */
@inline
export function turn(out: usize, step: usize, x0: usize, x1: usize, x2: usize, x3: usize): void {
  const r0 = v128.load(x0)
  const r1 = v128.load(x1)
  const r2 = v128.load(x2)
  const r3 = v128.load(x3)
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
  const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
  const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
  v128.store(out, v128.shuffle<f64>(a, c, 0, 2))
  v128.store(out + step, v128.shuffle<f64>(a, c, 1, 3))
  v128.store(out + 2 * step, v128.shuffle<f64>(b, d, 0, 2))
  v128.store(out + 3 * step, v128.shuffle<f64>(b, d, 1, 3))
}
