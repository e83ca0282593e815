/** Below this the Taylor series converges without cancellation to worry about; above it the continued fraction does in few terms. */
const SERIES_LIMIT = 2.5
const SERIES_TERMS = 60
const FRACTION_TERMS = 60

/**
 * erf x = 2/√π ∫₀ˣ exp(-t²) dt to about 1e-15. Abramowitz & Stegun 7.1.6 (series with positive terms) and 7.1.14 (continued fraction of erfc).
 */
export const erf = (x: number): number => {
  const z = Math.abs(x)
  if (Number.isNaN(z)) return z
  const value = z < SERIES_LIMIT ? series(z) : z > 6 ? 1 : 1 - complement(z)
  return x < 0 ? -value : value
}

/** 2/√π exp(-z²) Σ 2ⁿ z²ⁿ⁺¹ / (1·3···(2n+1)). */
const series = (z: number): number => {
  let term = z
  let sum = z
  for (let n = 1; n < SERIES_TERMS; n++) {
    term *= (2 * z * z) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum
}

/** exp(-z²)/√π · 1/(z + (1/2)/(z + 1/(z + (3/2)/(z + …)))). */
const complement = (z: number): number => {
  let fraction = z
  for (let n = FRACTION_TERMS; n >= 1; n--) fraction = z + n / 2 / fraction
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction
}
