import { gradientsOf, normalInit, pathOf, weight } from '../src/context.ts'
import { lastLength } from '../src/kernel/axis.ts'
import { gather, scatterAdd } from '../src/kernel/gather.ts'
import { linear as linearKernel, linearPullback } from '../src/kernel/linear.ts'
import type { Operator } from '../src/operator.ts'
import { trainable } from '../src/tensor/quantizedMatrix.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import type { Hidden, Logits } from './hidden.ts'
import { GPT2_DEVIATION } from './linear.ts'

export interface EmbeddingOptions {
  /** The parameter is `<name>.weight`, (vocabulary, width). */
  readonly name: string
  readonly vocabulary: number
  readonly width: number
}

/** Rows of a table by token id: one-hot times E. The gradient is a scatter-add. Law T10. */
export const embedding = ({ name, vocabulary, width }: EmbeddingOptions): Operator<Tokens, Hidden> => {
  const weightName = `${name}.weight`
  return (c, ids) => {
    const table = weight(c, weightName, [vocabulary, width], normalInit(GPT2_DEVIATION))
    return {
      value: gather<readonly ['batch', 'time', 'width']>(table, ids),
      state: {},
      saved: [],
      pullback: dy => {
        trainable(table, pathOf(c, weightName))
        return [gradientsOf(c, [weightName, scatterAdd(dy, ids, vocabulary)]), null]
      },
    }
  }
}

/**
 * logits = x Eᵀ with E (vocabulary, width), tied to an `embedding` of the same name: both gradients go to one path and add up (law L10;
 * Press & Wolf, arXiv 1608.05859).
 */
export const unembedding = ({ name, vocabulary }: Omit<EmbeddingOptions, 'width'>): Operator<Hidden, Logits> => {
  const weightName = `${name}.weight`
  return (c, x) => {
    const table = weight(c, weightName, [vocabulary, lastLength(x)], normalInit(GPT2_DEVIATION))
    return {
      value: linearKernel<readonly ['batch', 'time', 'vocabulary']>(x, table, null, true),
      state: {},
      saved: [x],
      pullback: dy => {
        const { dx, dWeight } = linearPullback(dy, x, trainable(table, pathOf(c, weightName)), false, true)
        return [gradientsOf(c, [weightName, dWeight]), dx]
      },
    }
  }
}
