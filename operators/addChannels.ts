import { add } from '../src/kernel/binary.ts'
import { reduceTo } from '../src/kernel/reduce.ts'
import type { Operator } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import type { Planes } from './convolution/planes.ts'
import type { Hidden } from './hidden.ts'

/** (planes, one vector a picture) -> planes with each number of the vector added to its channel: (batch, channels, height, width) and (batch, 1, channels). Laws D4, D5. */
export const addChannels: Operator<readonly [Planes, Hidden], Planes> = (_, [x, vector]) => {
  const [batch, channels] = x.shape
  const shape = [batch, channels, 1, 1]
  return {
    value: scope(() => add(x, vector.share(shape))),
    state: {},
    saved: [],
    pullback: d => [{}, [d, scope(() => reduceTo(d, shape).share<readonly ['batch', 'time', 'width']>(vector.shape))]],
  }
}
