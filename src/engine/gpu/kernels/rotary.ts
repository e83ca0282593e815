/** Rotates pairs (i, i + half) of every head by its position's angle (Su et al., arXiv:2104.09864; Hugging Face's halves). */
import type { Fused } from '../../fused.ts'
import type { Launcher } from '../launcher.ts'
import { plus, remainder, times, X, Y, Z } from '../text.ts'

export const rotary = ({ launch }: Launcher): Required<Pick<Fused, 'rotary'>> => ({
  rotary: (out, x, cosine, sine, inverse, { batch, time, heads, half }) => {
    launch(
      out,
      `rotary ${time} ${heads} ${half} ${inverse}`,
      [2 * half, heads, batch * time],
      () => {
        const row = plus(times(Z, heads * 2 * half), times(Y, 2 * half))
        const angle = plus(times(remainder(Z, time, batch * time), half), X)
        const [first, second] = inverse ? ['+', '-'] : ['-', '+']
        return {
          arrays: ['x', 'cosine', 'sine'],
          body: `if (${X} < ${half}) { return x[${row} + ${X}] * cosine[${angle}] ${first} x[${row} + ${X} + ${half}] * sine[${angle}]; }
return x[${row} + ${X}] * cosine[${angle} - ${half}] ${second} x[${row} + ${X} - ${half}] * sine[${angle} - ${half}];`,
        }
      },
      [x, cosine, sine],
    )
  },
})
