/**
 * Random numbers come from the host: Philox multiplies 32-bit integers, which gpu.js carries in floats on most backends, and the same
 * bits everywhere matter more (law R4). The dropout mask is decided on the host too: comparing with a rate rounded to f32 could
 * flip an element.
 */
import { uniform } from '../../../random.ts'
import type { Fused } from '../../fused.ts'
import type { Primitives } from '../../primitives.ts'
import type { Launcher } from '../launcher.ts'

export const random = ({
  launch,
  place,
}: Launcher): Pick<Primitives, 'uniform'> & Required<Pick<Fused, 'dropout'>> => ({
  uniform: (out, key, size) => place(out, uniform(key, size)),
  dropout: (out, x, key, rate, size) => {
    const mask = uniform(key, size)
    for (let i = 0; i < size; i++) mask[i] = mask[i] >= rate ? 1 : 0
    launch(
      out,
      'dropout',
      [size],
      () => ({
        arrays: ['x', 'mask'],
        reals: ['kept'],
        body: 'return x[this.thread.x] * mask[this.thread.x] / kept;',
      }),
      [x, mask],
      [1 - rate],
    )
  },
})
