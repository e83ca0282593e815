/** What writes in place writes only what changes: a cache's new position, a moment. gpu.js would write a new copy of the whole. */
import type { Storage } from '../../../../tensor/storage.ts'
import type { Fused, Primitives } from '../../../engine.ts'
import type { WgslLauncher } from '../launcher.ts'
import { WORKGROUP } from '../program.ts'

export const inPlace = ({
  dispatch,
}: WgslLauncher): Pick<Primitives, 'assign' | 'accumulate'> & Required<Pick<Fused, 'adamW'>> => {
  /** A kernel of one thread an element, `i`. */
  const elementwise = (
    key: string,
    size: number,
    body: string,
    names: {
      readonly reads: readonly string[]
      readonly updates: readonly string[]
      readonly writes?: readonly string[]
    },
    operands: {
      readonly reads: readonly Storage[]
      readonly updates: readonly Storage[]
      readonly writes?: readonly Storage[]
    },
    integers: Readonly<Record<string, number>>,
    reals: Readonly<Record<string, number>>,
  ): void =>
    dispatch(
      key,
      () => ({
        ...names,
        integers: ['size', ...Object.keys(integers)],
        reals: Object.keys(reals),
        body: `let i = group * ${WORKGROUP}u + lane; if (i >= p.size) { return; }\n${body}`,
      }),
      Math.ceil(size / WORKGROUP),
      { ...operands, scalars: [size, ...Object.values(integers), ...Object.values(reals)] },
    )
  return {
    accumulate: (out, x, scale, size) =>
      elementwise(
        'accumulate',
        size,
        'sum[i] += x[i] * p.scale;',
        { reads: ['x'], updates: ['sum'] },
        { reads: [x], updates: [out] },
        {},
        { scale },
      ),
    assign: (out, x, { outer, length, inner }, start, total) =>
      elementwise(
        'assign',
        outer * length * inner,
        'let block = p.block; out[i / block * p.total + p.start + i % block] = x[i];',
        { reads: ['x'], updates: ['out'] },
        { reads: [x], updates: [out] },
        { block: length * inner, total: total * inner, start: start * inner },
        {},
      ),
    adamW: (tensors, { rate, beta1, beta2, epsilon, correction1, correction2 }) => {
      for (const { update, firstMoment, secondMoment, gradient, parameter, weightDecay, size } of tensors)
        elementwise(
          'adamW',
          size,
          `let g = gradient[i];
let m = p.beta1 * first[i] + p.rest1 * g;
let v = p.beta2 * second[i] + p.rest2 * g * g;
first[i] = m;
second[i] = v;
update[i] = -p.rate * (m / p.correction1 / (sqrt(v / p.correction2) + p.epsilon) + p.decay * parameter[i]);`,
          { reads: ['gradient', 'parameter'], updates: ['first', 'second'], writes: ['update'] },
          { reads: [gradient, parameter], updates: [firstMoment, secondMoment], writes: [update] },
          {},
          {
            rate,
            beta1,
            rest1: 1 - beta1,
            beta2,
            rest2: 1 - beta2,
            epsilon,
            decay: weightDecay,
            correction1,
            correction2,
          },
        )
    },
  }
}
