import { compose } from '../../src/compose.ts'
import type { Named } from '../../src/context.ts'
import { lastLength } from '../../src/kernel/axis.ts'
import { multiply, scale } from '../../src/kernel/binary.ts'
import type { CrossEntropyOptions } from '../../src/kernel/crossEntropy.ts'
import { full, zeros } from '../../src/kernel/fill.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import { scaleEach } from '../../src/kernel/lists.ts'
import { concat, slice } from '../../src/kernel/slice.ts'
import { type Operator, valueOnly } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../../src/tensor/tokens.ts'
import type { Hidden, Logits } from '../hidden.ts'
import { crossEntropy } from './crossEntropy.ts'

export interface BlockwiseOptions extends CrossEntropyOptions {
  /** Positions whose logits exist at once. */
  readonly positions: number
}

/**
 * `compose(head, crossEntropy(targets))` a block of positions at a time: neither logits nor their gradients of more than a block ever exist,
 * where all of them are the largest tensors of a model with a large vocabulary. The loss is a number, so that its gradient is found with the value
 * and the pullback only scales it (Hsu et al., Liger Kernel, arXiv 2410.10989, 3.2). The head must treat positions alike. Laws L8, D3, D4, D9.
 */
export const blockwiseCrossEntropy =
  (
    head: Operator<Hidden, Logits>,
    targets: Tokens,
    { positions, ...options }: BlockwiseOptions,
  ): Operator<Hidden, Tensor<readonly []>> =>
  (c, hidden) => {
    const { ids } = targets
    const { ignoreIndex = -100 } = options
    const counted = ids.reduce((n, id) => (id === ignoreIndex ? n : n + 1), 0)
    const { value, gradients, dHidden } = scope(() => {
      const all = hidden.share<readonly ['batch', 'time', 'width']>([1, ids.length, lastLength(hidden)])
      const gradients: Record<string, Tensor> = {}
      const parts: Hidden[] = []
      let value = zeros<readonly []>(hidden.engine, [])
      for (let start = 0; start < ids.length; start += positions) {
        const own = ids.subarray(start, start + positions)
        const block = scope(() => {
          const loss = compose(head, crossEntropy(tokens(own), options))(c, slice(all, 1, start, own.length))
          const share = own.reduce((n, id) => (id === ignoreIndex ? n : n + 1), 0) / Math.max(1, counted)
          const pulled = c.differentiable ? loss.pullback(full(hidden.engine, [], share)) : null
          return { value: scale(loss.value, share), gradient: pulled?.[0] ?? {}, dHidden: pulled?.[1] ?? null }
        })
        value = accumulate(value, block.value)
        addInPlace(gradients, block.gradient)
        if (block.dHidden !== null) parts.push(block.dHidden)
      }
      const [first, ...rest] = parts
      const dHidden = first === undefined ? null : concat<readonly ['batch', 'time', 'width']>([first, ...rest], 1)
      return { value, gradients, dHidden: dHidden?.share<readonly ['batch', 'time', 'width']>(hidden.shape) ?? null }
    })
    if (!c.differentiable) return valueOnly(value, {})
    const names = Object.keys(gradients)
    const found = dHidden ?? zeros<readonly ['batch', 'time', 'width']>(hidden.engine, hidden.shape)
    return {
      value,
      state: {},
      saved: [...Object.values(gradients), found],
      pullback: d => {
        const scaled = scaleEach(Object.values(gradients), d)
        return [Object.fromEntries(names.map((name, i) => [name, scaled[i]])), multiply(found, d)]
      },
    }
  }

/** sum += x by name; what is added is freed, so that one gradient of the head and a block's exist at most. */
const addInPlace = (sum: Record<string, Tensor>, x: Named): void => {
  for (const [name, gradient] of Object.entries(x)) {
    const before = sum[name]
    if (before === undefined) sum[name] = gradient
    else {
      sum[name] = accumulate(before, gradient)
      gradient.release()
    }
  }
}
