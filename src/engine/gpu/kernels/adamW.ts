/** AdamW (Loshchilov and Hutter, arXiv:1711.05101): both moments in place, then the update; a kernel each. */
import type { Fused } from '../../fused.ts'
import type { Launcher } from '../launcher.ts'
import { X } from '../text.ts'

export const adamW = ({ launch }: Launcher): Required<Pick<Fused, 'adamW'>> => ({
  adamW: (tensors, { rate, beta1, beta2, epsilon, correction1, correction2 }) => {
    for (const { update, firstMoment, secondMoment, gradient, parameter, weightDecay, size } of tensors) {
      launch(
        firstMoment,
        'adamW first',
        [size],
        () => ({
          arrays: ['m', 'g'],
          reals: ['beta', 'rest'],
          body: `return beta * m[${X}] + rest * g[${X}];`,
        }),
        [firstMoment, gradient],
        [beta1, 1 - beta1],
      )
      launch(
        secondMoment,
        'adamW second',
        [size],
        () => ({
          arrays: ['v', 'g'],
          reals: ['beta', 'rest'],
          body: `return beta * v[${X}] + rest * g[${X}] * g[${X}];`,
        }),
        [secondMoment, gradient],
        [beta2, 1 - beta2],
      )
      launch(
        update,
        'adamW update',
        [size],
        () => ({
          arrays: ['m', 'v', 'p'],
          reals: ['rate', 'epsilon', 'decay', 'correction1', 'correction2'],
          body: `return -rate * (m[${X}] / correction1 / (Math.sqrt(v[${X}] / correction2) + epsilon) + decay * p[${X}]);`,
        }),
        [firstMoment, secondMoment, parameter],
        [rate, epsilon, weightDecay, correction1, correction2],
      )
    }
  },
})
