/**
 * The Fréchet distance of two sets of vectors, taken as Gaussians: ‖m₁ - m₂‖² + tr(C₁ + C₂ - 2 (C₁^½ C₂ C₁^½)^½). Source: Heusel et al., arXiv 1706.08500, eq. 6.
 * Symmetric matrices are diagonalised by Jacobi's rotations: small ones, and no package needed.
 */
type Matrix = readonly Float64Array[]

const matrix = (n: number, at: (i: number, j: number) => number): Matrix =>
  Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => at(i, j)))

const product = (x: Matrix, y: Matrix): Matrix =>
  matrix(x.length, (i, j) => x.reduce((sum, _, k) => sum + x[i][k] * y[k][j], 0))

/** Mean and covariance of rows of n numbers. */
const statistics = (rows: Float64Array, n: number): { readonly mean: Float64Array; readonly covariance: Matrix } => {
  const count = rows.length / n
  const mean = new Float64Array(n)
  rows.forEach((value, i) => {
    mean[i % n] += value / count
  })
  const sums = matrix(n, () => 0)
  for (let row = 0; row < count; row++)
    for (let i = 0; i < n; i++) {
      const a = rows[row * n + i] - mean[i]
      for (let j = 0; j < n; j++) sums[i][j] += (a * (rows[row * n + j] - mean[j])) / (count - 1)
    }
  return { mean, covariance: sums }
}

/** Eigenvalues of a symmetric matrix, and its eigenvectors as columns. */
export const eigen = (symmetric: Matrix): { readonly values: Float64Array; readonly vectors: Matrix } => {
  const n = symmetric.length
  const a = symmetric.map(row => Float64Array.from(row))
  const v = matrix(n, (i, j) => (i === j ? 1 : 0))
  const rotate = (rows: readonly Float64Array[], p: number, q: number, c: number, s: number): void => {
    for (const row of rows) {
      const [x, y] = [row[p], row[q]]
      row[p] = c * x - s * y
      row[q] = s * x + c * y
    }
  }
  const scale = Math.sqrt(a.reduce((sum, row) => row.reduce((total, value) => total + value ** 2, sum), 0))
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p][q] ** 2
    if (Math.sqrt(off) <= 1e-13 * scale) break
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta ** 2 + 1))
        const c = 1 / Math.sqrt(t ** 2 + 1)
        const s = t * c
        rotate(a, p, q, c, s)
        const [rowP, rowQ] = [a[p], a[q]]
        for (let k = 0; k < n; k++) {
          const [x, y] = [rowP[k], rowQ[k]]
          rowP[k] = c * x - s * y
          rowQ[k] = s * x + c * y
        }
        rotate(v, p, q, c, s)
      }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i][i]), vectors: v }
}

const rootOf = (symmetric: Matrix): Matrix => {
  const { values, vectors } = eigen(symmetric)
  return matrix(symmetric.length, (i, j) =>
    values.reduce((sum, value, k) => sum + Math.sqrt(Math.max(0, value)) * vectors[i][k] * vectors[j][k], 0),
  )
}

const trace = (x: Matrix): number => x.reduce((sum, row, i) => sum + row[i], 0)

/** Of rows of n numbers each. */
export const frechet = (x: Float64Array, y: Float64Array, n: number): number => {
  const [p, q] = [statistics(x, n), statistics(y, n)]
  const distance = p.mean.reduce((sum, value, i) => sum + (value - q.mean[i]) ** 2, 0)
  const root = rootOf(p.covariance)
  const { values } = eigen(product(product(root, q.covariance), root))
  const overlap = values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0)
  return distance + trace(p.covariance) + trace(q.covariance) - 2 * overlap
}
