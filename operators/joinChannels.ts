import { concat, slice } from '../src/kernel/slice.ts'
import type { Operator } from '../src/operator.ts'
import type { Planes } from './convolution/planes.ts'

/** Two pictures' channels one after the other: a skip connection (Ronneberger et al., arXiv 1505.04597). The pullback cuts (law D5). */
export const joinChannels: Operator<readonly [Planes, Planes], Planes> = (_, [x, y]) => {
  const [first, second] = [x.shape[1], y.shape[1]]
  return {
    value: concat<readonly ['batch', 'channels', 'height', 'width']>([x, y], 1),
    state: {},
    saved: [],
    pullback: d => [{}, [slice(d, 1, 0, first), slice(d, 1, first, second)]],
  }
}
