import type { RotarySizes } from '../engine/fused.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, isPositive } from './axis.ts'
import { add, multiply, subtract } from './binary.ts'
import { launch } from './launch.ts'
import { concat, slice } from './slice.ts'

/**
 * Turns element i of each head against element i + half by the angle of its position: (a, b) -> (a cos - b sin, b cos + a sin).
 * x (batch, time, heads * 2 half), cosine and sine (time, half). Orthogonal: the pullback is `inverse`. Law N6. Source: Su et al., arXiv 2104.09864,
 * in Hugging Face's "rotate half" layout.
 */
export const rotary = <A extends Axes>(
  x: Tensor<A>,
  cosine: Tensor,
  sine: Tensor,
  heads: number,
  inverse: boolean,
): Tensor<A> => {
  const [batch, time, width] = x.shape
  if (!isPositive(heads) || x.shape.length !== 3 || width % (2 * heads) !== 0)
    throw new ShapeError(`rotary: shape [${x.shape}] is not (batch, time, ${heads} heads of even width)`)
  const sizes: RotarySizes = { batch, time, heads, half: width / heads / 2 }
  for (const table of [cosine, sine]) expectShape('rotary table', table.shape, [time, sizes.half])
  const override = x.engine.fused.rotary
  if (override === undefined) return derivedRotary(x, cosine, sine, inverse, sizes)
  const y = empty<A>(x.engine, x.shape)
  launch(x.engine, 3 * x.size, x, cosine, sine, y)
  override(y.storage, x.storage, cosine.storage, sine.storage, inverse, sizes)
  return y
}

const derivedRotary = <A extends Axes>(
  x: Tensor<A>,
  cosine: Tensor,
  sine: Tensor,
  inverse: boolean,
  { batch, time, heads, half }: RotarySizes,
): Tensor<A> =>
  scope(() => {
    const perHead = x.share([batch, time, heads, 2 * half])
    const a = slice(perHead, 3, 0, half)
    const b = slice(perHead, 3, half, half)
    const c = cosine.share([time, 1, half])
    const s = sine.share([time, 1, half])
    const [turn, back] = inverse ? [add, subtract] : [subtract, add]
    return concat([turn(multiply(a, c), multiply(b, s)), back(multiply(b, c), multiply(a, s))], 3).share<A>(x.shape)
  })
