import { multiply, scalar, scale } from '../../src/kernel/binary.ts'
import {
  type CrossEntropyOptions,
  crossEntropyPullback,
  crossEntropySizes,
  crossEntropy as kernel,
} from '../../src/kernel/crossEntropy.ts'
import { broadcastTo, total } from '../../src/kernel/reduce.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'
import type { Logits } from '../hidden.ts'

/**
 * Mean over the counted positions of -log p(target): logits (batch, time, vocabulary) -> rank 0. With no position counted it is 0.
 * Laws L7, L8, D9.
 */
export const crossEntropy =
  (targets: Tokens, options: CrossEntropyOptions = {}): Operator<Logits, Tensor<readonly []>> =>
  (_, logits) => {
    const sizes = crossEntropySizes(logits, targets, options)
    const counted = sizes.targets.reduce((n, target) => (target === sizes.ignoreIndex ? n : n + 1), 0)
    const share = counted === 0 ? 0 : 1 / counted
    const { value, logSumExp } = scope(() => {
      const rows = kernel(logits, sizes)
      return { value: scale(total(rows.losses), share), logSumExp: rows.logSumExp }
    })
    return {
      value,
      state: {},
      saved: [logits, logSumExp],
      pullback: d => [
        {},
        scope(() =>
          crossEntropyPullback(broadcastTo(multiply(d, scalar(d, share)), [sizes.rows]), logits, logSumExp, sizes),
        ),
      ],
    }
  }
