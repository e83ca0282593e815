import type { Context } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { sameShape } from '../../src/kernel/axis.ts'
import { rotary } from '../../src/kernel/rotary.ts'
import type { Pulled } from '../../src/operator.ts'
import { type Axes, type Tensor, tensor } from '../../src/tensor/tensor.ts'

export interface RotaryOptions {
  readonly heads: number
  readonly headWidth: number
  /** Base of the frequencies: 10000 unless the checkpoint says otherwise. */
  readonly theta: number
}

interface Tables {
  readonly cosine: Float64Array
  readonly sine: Float64Array
}

/** cos and sin of p θ^(-2i/headWidth), (time, headWidth / 2), for positions offset …; in f64, since f32 angles lose what law N6 promises. */
const rotaryTables = (offset: number, time: number, headWidth: number, theta: number): Tables => {
  const half = headWidth / 2
  const cosine = new Float64Array(time * half)
  const sine = new Float64Array(time * half)
  for (let i = 0; i < half; i++) {
    const frequency = theta ** ((-2 * i) / headWidth)
    for (let p = 0; p < time; p++) {
      cosine[p * half + i] = Math.cos((offset + p) * frequency)
      sine[p * half + i] = Math.sin((offset + p) * frequency)
    }
  }
  return { cosine, sine }
}

/** The last tables: every layer of a step asks for the same. */
let last: { readonly of: readonly number[]; readonly tables: Tables } | null = null

const rememberedTables = (offset: number, time: number, headWidth: number, theta: number): Tables => {
  const of = [offset, time, headWidth, theta]
  if (last === null || !sameShape(last.of, of)) last = { of, tables: rotaryTables(offset, time, headWidth, theta) }
  return last.tables
}

const tablesOn = (engine: Engine, offset: number, time: number, { headWidth, theta }: RotaryOptions) => {
  const { cosine, sine } = rememberedTables(offset, time, headWidth, theta)
  const shape = [time, headWidth / 2]
  return { cosine: tensor(engine, shape, cosine), sine: tensor(engine, shape, sine) }
}

/** Rotary position embedding of queries or keys (batch, time, heads · headWidth), Hugging Face layout (Su et al., arXiv 2104.09864). Law N6. */
export const rotaryPositions =
  (options: RotaryOptions) =>
  <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const { cosine, sine } = tablesOn(x.engine, c.offset, x.shape[1], options)
    return {
      value: rotary(x, cosine, sine, options.heads, false),
      state: {},
      saved: [cosine, sine],
      pullback: dy => [{}, rotary(dy, cosine, sine, options.heads, true)],
    }
  }
