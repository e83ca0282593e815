/** A cache's new position where it is: gpu.js would write a new copy of the whole cache for it. */
import type { Primitives } from '../../../engine.ts'
import type { WgslLauncher } from '../launcher.ts'
import { WORKGROUP } from '../program.ts'

export const assign = ({ dispatch }: WgslLauncher): Pick<Primitives, 'assign'> => ({
  assign: (out, x, { outer, length, inner }, start, total) => {
    const size = outer * length * inner
    dispatch(
      'assign',
      () => ({
        reads: ['x'],
        updates: ['out'],
        integers: ['size', 'block', 'total', 'start'],
        body: `let i = group * ${WORKGROUP}u + lane; if (i >= p.size) { return; }
let block = p.block; out[i / block * p.total + p.start + i % block] = x[i];`,
      }),
      Math.ceil(size / WORKGROUP),
      { reads: [x], updates: [out], scalars: [size, length * inner, total * inner, start * inner] },
    )
  },
})
