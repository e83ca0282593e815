/** Pairing of batches against problems whose answer is known, and Dormand and Prince's step at its order. */
import fc from 'fast-check'
import test from 'tape'
import { nextStep, type Slope, squaredErrorNorm, trialStep } from '../../../operators/diffusion/flow/dormandPrince.ts'
import { assignment, optimalPairing } from '../../../operators/diffusion/flow/optimalPairing.ts'
import { scale } from '../../../src/kernel/binary.ts'
import { fold, key, normal, permutation, uniform } from '../../../src/random.ts'
import { readNow, tensor } from '../../../src/tensor/tensor.ts'
import { breaks, holds } from '../../property.ts'
import { engine, seeds } from '../support.ts'

const costOf = (costs: ArrayLike<number>, n: number, columnOf: ArrayLike<number>): number =>
  Array.from(columnOf).reduce((sum, column, row) => sum + (costs[row * n + column] ?? Number.NaN), 0)

const isPermutation = (columns: ArrayLike<number>): boolean => new Set(Array.from(columns)).size === columns.length

/** The least cost of any assignment, row by row. */
const leastOf = (costs: ArrayLike<number>, n: number, row = 0, taken = 0): number => {
  if (row === n) return 0
  const choices = Array.from({ length: n }, (_, j) =>
    taken & (1 << j)
      ? Number.POSITIVE_INFINITY
      : (costs[row * n + j] ?? 0) + leastOf(costs, n, row + 1, taken | (1 << j)),
  )
  return Math.min(...choices)
}

/** Each row takes its cheapest column that is left. */
const greedy = (costs: Float64Array, n: number): Int32Array => {
  const taken = new Set<number>()
  return Int32Array.from({ length: n }, (_, row) => {
    const left = Array.from({ length: n }, (_, j) => j).filter(j => !taken.has(j))
    const best = left.reduce((a, b) => ((costs[row * n + b] ?? 0) < (costs[row * n + a] ?? 0) ? b : a))
    taken.add(best)
    return best
  })
}

test('assignment is the cheapest of all permutations', t => {
  const problem = fc.tuple(fc.integer({ min: 1, max: 6 }), seeds, fc.boolean()).map(([n, seed, tied]) => {
    const costs = Float64Array.from(uniform(key(seed), n * n), x => (tied ? Math.floor(4 * x) : 2 * x - 1))
    return [costs, n] as const
  })
  const cheapest = (solve: typeof assignment) =>
    fc.property(problem, ([costs, n]) => {
      const columns = solve(costs, n)
      return isPermutation(columns) && Math.abs(costOf(costs, n, columns) - leastOf(costs, n)) < 1e-9
    })
  holds(t, 'of up to 6, ties too', cheapest(assignment), { numRuns: 200 })
  breaks(t, 'greedy choices', cheapest(greedy), { numRuns: 200 })
  t.end()
})

test('pairing undoes the gradient of a convex function, at any size', t => {
  // Brenier: x -> A x moves least where A is symmetric and positive definite; a quarter turn does not.
  const stretch = [2, 0.5, 0.5, 1]
  const turn = [0, -1, 1, 0]
  const undone = (n: number, [a = 0, b = 0, c = 0, d = 0]: readonly number[]): boolean => {
    const source = normal(fold(key(n), 'source'), 2 * n)
    const order = permutation(fold(key(n), 'order'), n)
    const target = new Float64Array(2 * n)
    for (let i = 0; i < n; i++) {
      const [x = 0, y = 0] = source.subarray(2 * (order[i] ?? 0))
      target.set([a * x + b * y + 3, c * x + d * y], 2 * i)
    }
    const found = optimalPairing(source, target, n)
    return isPermutation(found) && found.every((j, i) => j === order[i])
  }
  for (const n of [2, 63, 64, 65, 256, 300]) t.ok(undone(n, stretch), `${n} pairs`)
  t.notOk(undone(64, turn), 'control: a turn')
  t.throws(() => optimalPairing([1, 2], [1], 1), /2 and 1 numbers/)
  t.end()
})

/** dx/dt = x cos t, whose solution from 0 is x e^{sin t}. */
const swing: Slope = (x, t) => scale(x, Math.cos(t))

const errorAfter = (steps: number, f: Slope = swing): number => {
  let x = tensor(engine, [1], [1])
  let slope = f(x, 0)
  for (let i = 0; i < steps; i++) {
    const trial = trialStep(f, x, slope, (2 * i) / steps, 2 / steps)
    x = trial.x
    slope = trial.slope
  }
  return Math.abs((readNow(x)[0] ?? Number.NaN) - Math.exp(Math.sin(2)))
}

test('Dormand-Prince is of order 5, its error estimate of the local order 5', t => {
  const order = (f?: Slope): number => Math.log2(errorAfter(8, f) / errorAfter(16, f))
  t.ok(Math.abs(order() - 5) < 0.5, `order ${order().toFixed(2)}`)
  t.notOk(Math.abs(order((x, time) => swing(x, 0.99 * time)) - 5) < 0.5, 'control: another slope')
  const estimate = (h: number): number => {
    const x = tensor(engine, [1], [1])
    return Math.abs(readNow(trialStep(swing, x, swing(x, 0.3), 0.3, h).error)[0] ?? Number.NaN)
  }
  const local = Math.log2(estimate(0.1) / estimate(0.05))
  t.ok(Math.abs(local - 5) < 0.3, `the estimate falls as h^${local.toFixed(2)}`)
  t.end()
})

test('the error norm is relative where samples are large, and the next step follows it', t => {
  const norm = (error: number, x: number): number => {
    const [e, from, to] = [error, x, 2 * x].map(value => tensor(engine, [2], [value, value]))
    if (e === undefined || from === undefined || to === undefined) throw new RangeError()
    return readNow(squaredErrorNorm(e, from, to, { absolute: 0.1, relative: 0.01 }))[0] ?? Number.NaN
  }
  t.ok(Math.abs(norm(0.1, 0) - 1) < 1e-12 && Math.abs(norm(0.3, -10) - 1) < 1e-12)
  t.equal(nextStep(1, 1), 0.9)
  t.equal(nextStep(1, 1e9), 0.2)
  t.equal(nextStep(-1, 0), -10)
  t.end()
})
