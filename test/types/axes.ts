/** What the compiler knows of axes. Never run: `tsc` checks each line, and each `@ts-expect-error` must be an error. */
import { linear } from '../../operators/linear.ts'
import { category, compose, copy, id, parallel, sequence } from '../../src/compose.ts'
import { add } from '../../src/kernel/binary.ts'
import { matmul } from '../../src/kernel/matmul.ts'
import { softmax } from '../../src/kernel/softmax.ts'
import type { Operator } from '../../src/operator.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'

type Hidden = Tensor<readonly ['batch', 'time', 'width']>
type Wide = Tensor<readonly ['batch', 'time', 'inner']>

/** Named axes meet in a product: the inner axis of both must have one name. */
export const products = (
  x: Hidden,
  w: Tensor<readonly ['width', 'inner']>,
  keys: Tensor<readonly ['batch', 'width', 'key']>,
): Wide[] => {
  const wide: Wide = matmul(x, w)
  const scores: Tensor<readonly ['batch', 'time', 'key']> = matmul(x, keys)
  // @ts-expect-error the inner axes are 'width' and 'inner'
  matmul(wide, w)
  // @ts-expect-error the operands are the wrong way round
  matmul(w, x)
  // @ts-expect-error the leading axes are 'batch' and 'head'
  const wrong: Tensor<readonly ['head', 'time', 'key']> = matmul(x, keys)
  // @ts-expect-error a vector is no matrix
  matmul(x, vectorOf(w))
  return [wide, softmax(wide), add(wide, scores), add(wide, wrong), matmul(x, w)]
}

declare const vectorOf: (x: Tensor) => Tensor<readonly ['width']>

/** A tensor forgets its axes only on purpose. */
export const forgotten = (x: Hidden): Tensor => {
  // @ts-expect-error other names for the same positions
  const renamed: Wide = x
  // @ts-expect-error an axis too few
  const flat: Tensor<readonly ['batch', 'width']> = x
  return add(renamed, flat)
}

declare const toWide: Operator<Hidden, Wide>
declare const toHidden: Operator<Wide, Hidden>
declare const embed: Operator<Tokens, Hidden>

/** Operators compose where the types meet. */
export const compositions = (): readonly Operator<Hidden, Hidden>[] => {
  const block: Operator<Hidden, Hidden> = sequence(toWide, toHidden)
  const model: Operator<Tokens, Hidden> = sequence(embed, block, block)
  const pair: Operator<readonly [Hidden, Wide], readonly [Wide, Hidden]> = parallel(toWide, toHidden)
  const widened = linear({ name: 'c_fc', from: 'width', to: 'inner', width: 8, bias: true, layout: 'conv1d' })
  const inferred: Operator<Hidden, Wide> = sequence(toWide, toHidden, widened)
  // @ts-expect-error Wide does not flow into toWide
  sequence(toWide, toWide)
  // @ts-expect-error the result of the second is no Wide
  compose(toWide, embed)
  // @ts-expect-error the category composes in the other order
  category.compose(toWide, id<Wide>())
  // @ts-expect-error copies of one value, not two kinds
  const copies: Operator<Hidden, readonly [Hidden, Wide]> = copy<Hidden>()
  // @ts-expect-error a model of tokens takes no tensor
  sequence(toHidden, model)
  return [block, sequence(inferred, toHidden), sequence(copies, pairOf(pair))]
}

declare const pairOf: (pair: unknown) => Operator<readonly [Hidden, Wide], Hidden>
