import type { Engine } from '../../src/engine/engine.ts'
import { ShapeError } from '../../src/errors.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Times } from '../../src/tensor/times.ts'

export interface TimeEmbeddingOptions {
  /** Even. */
  readonly width: number
  /** What a time is multiplied by first: 1000 for flows, whose times lie in [0, 1]. */
  readonly scale?: number
  readonly longest?: number
}

/**
 * (sin(t f_i) …, cos(t f_i) …) with f_i = longest^{-i / (width / 2)}: (batch) -> (batch, width), computed on the host in f64, for angles of f32 would be wrong at
 * t = 1000. Source: Vaswani et al., arXiv 1706.03762, 3.5, as in DDPM. Different times have different rows (law X10).
 */
export const timeEmbedding = (
  engine: Engine,
  { times }: Times,
  { width, scale = 1, longest = 10_000 }: TimeEmbeddingOptions,
): Tensor<readonly ['batch', 'width']> => {
  if (width % 2 !== 0) throw new ShapeError(`time embedding: width ${width} is odd`)
  const half = width / 2
  const frequencies = Float64Array.from({ length: half }, (_, i) => scale * longest ** (-i / half))
  const values = new Float64Array(times.length * width)
  for (let row = 0; row < times.length; row++)
    for (let i = 0; i < half; i++) {
      const angle = times[row] * frequencies[i]
      values[row * width + i] = Math.sin(angle)
      values[row * width + half + i] = Math.cos(angle)
    }
  return tensor(engine, [times.length, width], values)
}
