/**
 * What writes in place: a cache's new position, where gpu.js would write a new copy of the whole; sums, moments and parameters, which keep
 * their buffers, so that a training step meets the bind groups of the last one.
 */
import type { Storage } from '../../../../tensor/storage.ts'
import type { Fused } from '../../../fused.ts'
import type { Primitives } from '../../../primitives.ts'
import type { WgslLauncher } from '../launcher.ts'
import { WORKGROUP } from '../program.ts'

/** Operands or scalars by the names that the text has for them. */
type Named<T> = Readonly<Record<string, T>>

export const inPlace = ({
  dispatch,
}: WgslLauncher): Pick<Primitives, 'assign' | 'accumulate'> & Required<Pick<Fused, 'adamW'>> => {
  /** `body` for each i < size. */
  const each = (
    key: string,
    size: number,
    body: string,
    reads: Named<Storage>,
    updates: Named<Storage>,
    writes: Named<Storage>,
    integers: Named<number>,
    reals: Named<number>,
  ): void =>
    dispatch(
      key,
      () => ({
        reads: Object.keys(reads),
        updates: Object.keys(updates),
        writes: Object.keys(writes),
        integers: ['size', ...Object.keys(integers)],
        reals: Object.keys(reals),
        body: `let i = group * ${WORKGROUP}u + lane; if (i >= p.size) { return; }\n${body}`,
      }),
      Math.ceil(size / WORKGROUP),
      {
        reads: Object.values(reads),
        updates: Object.values(updates),
        writes: Object.values(writes),
        scalars: [size, ...Object.values(integers), ...Object.values(reals)],
      },
    )
  return {
    assign: (out, x, { outer, length, inner }, start, total) =>
      each(
        'assign',
        outer * length * inner,
        'out[i / p.block * p.total + p.start + i % p.block] = x[i];',
        { x },
        { out },
        {},
        { block: length * inner, total: total * inner, start: start * inner },
        {},
      ),
    accumulate: (out, x, scale, size) =>
      each('accumulate', size, 'out[i] += x[i] * p.scale;', { x }, { out }, {}, {}, { scale }),
    adamW: (tensors, { rate, beta1, beta2, epsilon, correction1, correction2 }) => {
      const numbers = { rate, epsilon, correction1, correction2, beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2 }
      for (const { update, firstMoment, secondMoment, gradient, parameter, weightDecay: decay, size } of tensors)
        each(
          'adamW',
          size,
          `let g = gradient[i];
let m = p.beta1 * first[i] + p.rest1 * g;
let v = p.beta2 * second[i] + p.rest2 * g * g;
first[i] = m;
second[i] = v;
update[i] = -p.rate * (m / p.correction1 / (sqrtOf(v / p.correction2) + p.epsilon) + p.decay * parameter[i]);`,
          { gradient, parameter },
          { first: firstMoment, second: secondMoment },
          { update },
          {},
          { ...numbers, decay },
        )
    },
  }
}
