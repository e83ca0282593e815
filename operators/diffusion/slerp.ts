import { ShapeError } from '../../src/errors.ts'

/**
 * Spherical interpolation (sin((1 - s) θ) x + sin(s θ) y) / sin θ, θ the angle between x and y: between two noises it stays where noise lies, which a straight
 * line does not. Parallel ones are interpolated straight. Source: Shoemake, SIGGRAPH 1985; for diffusion Song et al., arXiv 2010.02502, 5.3.
 */
export const slerp = (x: ArrayLike<number>, y: ArrayLike<number>, s: number): Float64Array => {
  if (x.length !== y.length) throw new ShapeError(`slerp: ${x.length} and ${y.length} numbers`)
  let [product, xx, yy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i], y[i]]
    product += a * b
    xx += a * a
    yy += b * b
  }
  const angle = Math.acos(Math.min(1, Math.max(-1, product / Math.sqrt(xx * yy))))
  const sine = Math.sin(angle)
  const [p, q] = sine < 1e-9 ? [1 - s, s] : [Math.sin((1 - s) * angle) / sine, Math.sin(s * angle) / sine]
  return Float64Array.from(x, (a, i) => p * a + q * y[i])
}
