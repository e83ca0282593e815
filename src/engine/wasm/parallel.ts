/**
 * The kernels, each split over threads along an axis that it does not reduce: rows, columns, heads or plain ranges, so every number is
 * computed by one thread with the bits of the whole call. `dot` is one sum and is never split.
 */
import { type Kernels, kernelNames } from './binary.generated.ts'
import { COST, FLOAT } from './costs.ts'
import type { Loaded } from './kernels.ts'
import { parallelConvolutions } from './parallelConvolutions.ts'
import { parallelMoves } from './parallelMoves.ts'
import { each, parallelProducts } from './parallelProducts.ts'
import { parallelQuantized } from './parallelQuantized.ts'
import { type Name, rolesOf, VECTOR } from './roles.ts'
import type { Threads } from './threads.ts'
import type { Kernel } from './worker.ts'

export const parallel = (threads: Threads, loaded: Loaded): Kernels => {
  const { kernels, list } = loaded
  const { same, one, row, gates, size, width, over } = rolesOf(threads, list)
  const map = (name: Name, cost: number = COST.arithmetic): Kernel => over(name, cost, one, one, size)
  const withSlope = (name: Name): Kernel => over(name, COST.function, one, one, one, size)
  const zip = (name: Name): Kernel => {
    const direct = list[kernelNames.indexOf(name)]
    return (...call) => {
      const [out, x, xOuter, xInner, y, yOuter, yInner, outer, inner] = call
      const byRows = outer > 1
      if (!threads.splits(outer * inner * COST.arithmetic, byRows ? outer : inner, byRows ? 1 : VECTOR)) {
        direct(...call)
        return
      }
      threads.begin(name).moving(out, byRows ? FLOAT * inner : FLOAT)
      threads
        .moving(x, FLOAT * (byRows ? xOuter : xInner))
        .same(xOuter)
        .same(xInner)
      threads
        .moving(y, FLOAT * (byRows ? yOuter : yInner))
        .same(yOuter)
        .same(yInner)
      if (byRows) threads.size().same(inner).run()
      else threads.same(outer).size().run()
    }
  }
  const foldColumns = (name: 'sumColumns' | 'maxColumns'): Kernels['sumColumns'] => {
    return (out, x, outer, length, inner, first, end) => {
      const cost = outer * length * (end - first) * COST.arithmetic
      const byOuter = outer > threads.count
      if (!threads.splits(cost, byOuter ? outer : end - first, byOuter ? 1 : VECTOR))
        return kernels[name](out, x, outer, length, inner, first, end)
      if (byOuter) {
        threads
          .begin(name)
          .moving(out, FLOAT * inner)
          .moving(x, FLOAT * length * inner)
        threads.size().same(length).same(inner).same(first).same(end).run()
      } else {
        threads.begin(name).same(out).same(x).same(outer).same(length).same(inner).first(first).end(first).run()
      }
    }
  }
  /** A kernel whose last arguments are groups, channels, positions, the first row and the end. */
  const overGroups = (name: 'groupNorm' | 'groupNormPullback', cost: number): Kernel => {
    const direct = list[kernelNames.indexOf(name)]
    return (...call) => {
      const [channels, positions, first, end] = call.slice(-4)
      if (!threads.splits((end - first) * channels * positions * cost, end - first, 1)) {
        direct(...call)
        return
      }
      threads.begin(name)
      for (const value of call.slice(0, -2)) threads.same(value)
      threads.first(first).end(first).run()
    }
  }

  return {
    ...parallelProducts(threads, kernels),
    ...parallelConvolutions(threads, loaded),
    ...parallelQuantized(threads, kernels),
    ...parallelMoves(threads, kernels),
    dot: kernels.dot,
    readAhead: kernels.readAhead,
    normPullback: (...call) => {
      const [rows, columns, , first, end] = call.slice(-5)
      if (!threads.splits(rows * columns * COST.normPullback, end - first, 1)) return kernels.normPullback(...call)
      threads.begin('normPullback')
      for (const value of call.slice(0, -2)) threads.same(value)
      threads.first(first).end(first).run()
    },
    layerNorm: over('layerNorm', COST.norm, row, one, one, row, same, same, same, size, width),
    rmsNorm: over('rmsNorm', COST.norm, row, one, row, same, same, size, width),
    groupNorm: overGroups('groupNorm', COST.norm),
    groupNormPullback: overGroups('groupNormPullback', COST.normPullback),
    softmax: over('softmax', COST.function, row, row, size, width),
    softmaxPullback: over('softmaxPullback', COST.arithmetic, row, row, row, size, width),
    crossEntropy: over('crossEntropy', COST.function, one, one, row, one, same, same, size, width),
    crossEntropyPullback: over('crossEntropyPullback', COST.function, row, one, row, one, one, same, same, size, width),
    lstmCell: over('lstmCell', 5 * COST.function, row, row, gates(4), row, size, width),
    lstmCellPullback: over('lstmCellPullback', 5 * COST.function, gates(4), row, row, row, gates(4), row, size, width),
    gruCell: over('gruCell', 3 * COST.function, row, gates(3), gates(3), row, size, width),
    gruCellPullback: over(
      'gruCellPullback',
      3 * COST.function,
      ...[gates(3), gates(3), row, row, gates(3), gates(3), row],
      size,
      width,
    ),
    gather: over('gather', COST.move, row, same, one, size, width),
    gatherPanels: over('gatherPanels', COST.arithmetic, row, same, one, size, width, same),
    quantizedGather: over('quantizedGather', COST.arithmetic, row, same, one, size, width),
    halvesGather: over('halvesGather', COST.arithmetic, row, same, one, size, width),
    sumRows: over('sumRows', COST.arithmetic, one, row, size, width),
    maxRows: over('maxRows', COST.arithmetic, one, row, size, width),
    sumColumns: foldColumns('sumColumns'),
    maxColumns: foldColumns('maxColumns'),
    // Each share adds into rows of its own, in the order of all ids.
    scatterAdd: (out, x, ids, count, columns, first, end) => {
      const cost = (end - first + count) * columns * COST.move
      if (!threads.splits(cost, end - first, 1)) return kernels.scatterAdd(out, x, ids, count, columns, first, end)
      threads.begin('scatterAdd').same(out).same(x).same(ids).same(count).same(columns).first(first).end(first).run()
    },
    rotary: (out, x, cosine, sine, direction, batch, time, heads, half) => {
      const position = FLOAT * heads * 2 * half
      const cost = batch * time * heads * half * COST.arithmetic * 2
      if (batch > 1 && threads.splits(cost, batch, 1)) {
        threads
          .begin('rotary')
          .moving(out, position * time)
          .moving(x, position * time)
          .same(cosine)
          .same(sine)
        threads.same(direction).size().same(time).same(heads).same(half).run()
      } else if (batch === 1 && threads.splits(cost, time, 1)) {
        threads.begin('rotary').moving(out, position).moving(x, position)
        threads.moving(cosine, FLOAT * half).moving(sine, FLOAT * half)
        threads.same(direction).same(1).size().same(heads).same(half).run()
      } else kernels.rotary(out, x, cosine, sine, direction, batch, time, heads, half)
    },
    randomScratch: () => threads.count * each(kernels.randomScratch()),
    uniform: (out, key0, key1, start, count, scratch) => {
      if (!threads.splits(count * COST.random, count, VECTOR))
        return kernels.uniform(out, key0, key1, start, count, scratch)
      threads.begin('uniform').moving(out, FLOAT).same(key0).same(key1).first(start).size()
      threads.scratch(scratch, each(kernels.randomScratch())).run()
    },
    dropout: (out, x, key0, key1, threshold, factor, start, count, scratch) => {
      if (!threads.splits(count * COST.random, count, VECTOR))
        return kernels.dropout(out, x, key0, key1, threshold, factor, start, count, scratch)
      threads.begin('dropout').moving(out, FLOAT).moving(x, FLOAT).same(key0).same(key1).same(threshold).same(factor)
      threads.first(start).size().scratch(scratch, each(kernels.randomScratch())).run()
    },
    adamW: (...call) => {
      const [start, end] = call.slice(-2)
      if (!threads.splits((end - start) * COST.adamW, end - start, VECTOR)) return kernels.adamW(...call)
      threads.begin('adamW')
      for (const value of call.slice(0, -2)) threads.same(value)
      threads.first(start).end(start).run()
    },
    scaleEach: (table, factor, start, end) => {
      if (!threads.splits((end - start) * COST.arithmetic, end - start, VECTOR))
        return kernels.scaleEach(table, factor, start, end)
      threads.begin('scaleEach').same(table).same(factor).first(start).end(start).run()
    },
    accumulateEach: (table, start, end) => {
      if (!threads.splits((end - start) * COST.arithmetic, end - start, VECTOR))
        return kernels.accumulateEach(table, start, end)
      threads.begin('accumulateEach').same(table).first(start).end(start).run()
    },
    squareParts: kernels.squareParts,
    squaresOfParts: (out, table, start, end) => {
      if (!threads.splits((end - start) * COST.squares, end - start, 1))
        return kernels.squaresOfParts(out, table, start, end)
      threads.begin('squaresOfParts').same(out).same(table).first(start).end(start).run()
    },
    accumulate: over('accumulate', COST.arithmetic, one, one, same, size),
    copy: over('copy', COST.move, one, one, size),
    fill: over('fill', COST.move, one, same, size),
    add: zip('add'),
    subtract: zip('subtract'),
    multiply: zip('multiply'),
    divide: zip('divide'),
    maximum: zip('maximum'),
    minimum: zip('minimum'),
    greaterEqual: zip('greaterEqual'),
    negate: map('negate'),
    exp: map('exp', COST.function),
    log: map('log', COST.function),
    sqrt: map('sqrt'),
    reciprocalSqrt: map('reciprocalSqrt'),
    reciprocal: map('reciprocal'),
    tanh: map('tanh', COST.function),
    sigmoid: map('sigmoid', COST.function),
    erf: map('erf', COST.function),
    relu: map('relu'),
    square: map('square'),
    abs: map('abs'),
    step: map('step'),
    round: map('round'),
    gelu: map('gelu', COST.function),
    geluTanh: map('geluTanh', COST.function),
    silu: map('silu', COST.function),
    geluWithSlope: withSlope('geluWithSlope'),
    geluTanhWithSlope: withSlope('geluTanhWithSlope'),
    siluWithSlope: withSlope('siluWithSlope'),
    reluWithSlope: withSlope('reluWithSlope'),
    tanhWithSlope: withSlope('tanhWithSlope'),
    sigmoidWithSlope: withSlope('sigmoidWithSlope'),
  }
}
