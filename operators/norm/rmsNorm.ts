import { type Context, gradientsOf, onesInit, parameter } from '../../src/context.ts'
import { lastLength } from '../../src/kernel/axis.ts'
import { rmsNorm as normalize, rmsNormPullback } from '../../src/kernel/rmsNorm.ts'
import type { Pulled } from '../../src/operator.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'

export interface RmsNormOptions {
  /** The parameter is `<name>.weight`, of the last axis' length. */
  readonly name: string
  readonly epsilon: number
}

/** x / √(mean x² + ε) ⊙ weight along the last axis (Zhang & Sennrich, arXiv 1910.07467). Law N2. */
export const rmsNorm = ({ name, epsilon }: RmsNormOptions) => {
  const weightName = `${name}.weight`
  return <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const weight = parameter(c, weightName, [lastLength(x)], onesInit)
    const { value, deviation } = normalize(x, weight, epsilon)
    return {
      value,
      state: {},
      saved: [x, deviation],
      pullback: dy => {
        const { dx, dWeight } = rmsNormPullback(dy, x, weight, deviation)
        return [gradientsOf(c, [weightName, dWeight]), dx]
      },
    }
  }
}
