/**
 * loss = L - (1 - ε) z[target] - ε mean(z), with L = log Σ exp z, z a row of logits and ε the label smoothing (Szegedy et al.,
 * arXiv:1512.00567); dz = dloss (exp(z - L) - (1 - ε) onehot - ε / columns). Targets are host numbers: a row that is ignored gets
 * target 0 and weight 0, and nothing is computed of it.
 */
import type { CrossEntropySizes, Fused } from '../../fused.ts'
import type { Launcher } from '../launcher.ts'
import { X, Y } from '../text.ts'

const split = ({ targets, ignoreIndex }: CrossEntropySizes): readonly [Float32Array, Float32Array] => [
  Float32Array.from(targets, target => (target === ignoreIndex ? 0 : target)),
  Float32Array.from(targets, target => (target === ignoreIndex ? 0 : 1)),
]

export const crossEntropy = ({ launch }: Launcher): Required<Pick<Fused, 'crossEntropy' | 'crossEntropyPullback'>> => ({
  crossEntropy: (losses, logSumExp, logits, sizes) => {
    const { rows, columns, labelSmoothing } = sizes
    const row = `${X} * ${columns}`
    launch(
      logSumExp,
      `logSumExp ${columns}`,
      [rows],
      () => ({
        arrays: ['z'],
        body: `let m = z[${row}]; for (let k = 0; k < ${columns}; k++) { m = Math.max(m, z[${row} + k]); }
let s = 0; for (let k = 0; k < ${columns}; k++) { s += Math.exp(z[${row} + k] - m); } return m + Math.log(s);`,
      }),
      [logits],
    )
    const smooth = labelSmoothing > 0
    const mean = smooth ? `let s = 0; for (let k = 0; k < ${columns}; k++) { s += z[${row} + k]; }` : ''
    launch(
      losses,
      `crossEntropy ${columns} ${smooth}`,
      [rows],
      () => ({
        arrays: ['z', 'logSumExp', 'target', 'weight'],
        reals: ['kept', 'spread'],
        body: `if (weight[${X}] == 0) { return 0; }
${mean} return logSumExp[${X}] - kept * z[${row} + (target[${X}] | 0)]${smooth ? ' - spread * s' : ''};`,
      }),
      [logits, logSumExp, ...split(sizes)],
      [1 - labelSmoothing, labelSmoothing / columns],
    )
  },
  crossEntropyPullback: (dLogits, dLosses, logits, logSumExp, sizes) => {
    const { rows, columns, labelSmoothing } = sizes
    launch(
      dLogits,
      `crossEntropyPullback ${columns}`,
      [columns, rows],
      () => ({
        arrays: ['dLosses', 'z', 'logSumExp', 'target', 'weight'],
        reals: ['kept', 'spread'],
        body: `if (weight[${Y}] == 0) { return 0; }
const p = Math.exp(z[${Y} * ${columns} + ${X}] - logSumExp[${Y}]) - spread;
if (${X} == (target[${Y}] | 0)) { return dLosses[${Y}] * (p - kept); } return dLosses[${Y}] * p;`,
      }),
      [dLosses, logits, logSumExp, ...split(sizes)],
      [1 - labelSmoothing, labelSmoothing / columns],
    )
  },
})
