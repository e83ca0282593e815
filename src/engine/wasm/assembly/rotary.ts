/** Rotary positions, Su et al., arXiv 2104.09864, halves apart: (a, b) -> (a cos - b sin, b cos + a sin). Law N6. */
import { madd, nmadd, splat, storePart } from './simd'

/** x, out (batch, time, heads, 2 half); cosine, sine (time, half); `direction` -1 turns back. */
export function rotary(
  out: usize, x: usize, cosine: usize, sine: usize, direction: f32, batch: i32, time: i32, heads: i32, half: i32,
): void {
  const bytes = <usize>half << 2
  const sign = splat(direction)
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < time; t++) {
      const cosines = cosine + <usize>t * bytes
      const sines = sine + <usize>t * bytes
      for (let h = 0; h < heads; h++) {
        for (let i = 0; i < half; i += 4) {
          const at = <usize>i << 2
          const p = v128.load(x + at)
          const q = v128.load(x + bytes + at)
          const c = v128.load(cosines + at)
          const s = f32x4.mul(v128.load(sines + at), sign)
          storePart(out + at, nmadd(q, s, f32x4.mul(p, c)), half - i)
          storePart(out + bytes + at, madd(p, s, f32x4.mul(q, c)), half - i)
        }
        out += 2 * bytes
        x += 2 * bytes
      }
    }
  }
}
