/** The overrides over the compiled kernels: every fused row of the interface. */
import type { Fused } from '../fused.ts'
import { attentions } from './attentions.ts'
import type { Kernels } from './binary.generated.ts'
import { convolutions } from './convolutions.ts'
import { lists } from './lists.ts'
import { matmul } from './matmul.ts'
import type { Memory } from './memory.ts'
import { norms } from './norms.ts'
import { quantized } from './quantized.ts'
import { addresses } from './storage.ts'

/** Uniform numbers are multiples of 2^-24: u >= rate compares integers, as exactly as f64 would. */
const UNIFORM_STEPS = 2 ** 24

export const fused = (memory: Memory, kernels: Kernels): Fused => {
  const { at } = addresses(memory)
  return {
    linear: matmul(memory, kernels),
    ...quantized(memory, kernels),
    softmax: (out, x, { rows, columns }) => kernels.softmax(at(out), at(x), rows, columns),
    softmaxPullback: (dx, dy, y, { rows, columns }) => kernels.softmaxPullback(at(dx), at(dy), at(y), rows, columns),
    activation: (kind, out, x, size) => kernels[kind](at(out), at(x), size),
    activationWithSlope: (kind, out, slope, x, size) => kernels[`${kind}WithSlope`](at(out), at(slope), at(x), size),
    ...norms(memory, kernels),
    rotary: (out, x, cosine, sine, inverse, { batch, time, heads, half }) =>
      kernels.rotary(at(out), at(x), at(cosine), at(sine), inverse ? -1 : 1, batch, time, heads, half),
    ...attentions(memory, kernels),
    ...convolutions(memory, kernels),
    lstmCell: (hidden, next, gates, cell, { rows, columns }) =>
      kernels.lstmCell(at(hidden), at(next), at(gates), at(cell), rows, columns),
    lstmCellPullback: (dGates, dCell, dHidden, dNext, gates, cell, { rows, columns }) =>
      kernels.lstmCellPullback(at(dGates), at(dCell), at(dHidden), at(dNext), at(gates), at(cell), rows, columns),
    gruCell: (next, fromInput, fromHidden, hidden, { rows, columns }) =>
      kernels.gruCell(at(next), at(fromInput), at(fromHidden), at(hidden), rows, columns),
    gruCellPullback: (dFromInput, dFromHidden, dHidden, dNext, fromInput, fromHidden, hidden, { rows, columns }) =>
      kernels.gruCellPullback(
        at(dFromInput),
        at(dFromHidden),
        at(dHidden),
        at(dNext),
        at(fromInput),
        at(fromHidden),
        at(hidden),
        rows,
        columns,
      ),
    crossEntropy: (losses, logSumExp, logits, { targets, ignoreIndex, labelSmoothing, rows, columns }) =>
      kernels.crossEntropy(
        at(losses),
        at(logSumExp),
        at(logits),
        memory.stage(targets),
        ignoreIndex,
        labelSmoothing,
        rows,
        columns,
      ),
    crossEntropyPullback: (dLogits, dLosses, logits, logSumExp, sizes) => {
      const { targets, ignoreIndex, labelSmoothing, rows, columns } = sizes
      kernels.crossEntropyPullback(
        at(dLogits),
        at(dLosses),
        at(logits),
        at(logSumExp),
        memory.stage(targets),
        ignoreIndex,
        labelSmoothing,
        rows,
        columns,
      )
    },
    dropout: (out, x, key, rate, size) =>
      kernels.dropout(
        at(out),
        at(x),
        key[0],
        key[1],
        Math.ceil(rate * UNIFORM_STEPS),
        1 / (1 - rate),
        0,
        size,
        memory.scratch(kernels.randomScratch()),
      ),
    dot: (out, x, y, size) => kernels.dot(at(out), at(x), at(y), size),
    ...lists(memory, kernels),
  }
}
