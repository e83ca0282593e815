/** Every kernel that gpu.js compiles, over a launcher of any mode. */
import type { Fused } from '../../fused.ts'
import type { Primitives } from '../../primitives.ts'
import type { Launcher } from '../launcher.ts'
import { activation } from './activation.ts'
import { adamW } from './adamW.ts'
import { attention } from './attention.ts'
import { crossEntropy } from './crossEntropy.ts'
import { elementwise } from './elementwise.ts'
import { layout } from './layout.ts'
import { matmul } from './matmul.ts'
import { norm } from './norm.ts'
import { random } from './random.ts'
import { reduce } from './reduce.ts'
import { rotary } from './rotary.ts'
import { rowsById } from './rows.ts'
import { softmax } from './softmax.ts'

export interface Kernels {
  readonly primitives: Primitives
  readonly fused: Partial<Fused>
}

export const kernels = (launch: Launcher): Kernels => {
  const { dot, ...reductions } = reduce(launch)
  const { linear, ...products } = matmul(launch)
  const { dropout, ...draws } = random(launch)
  return {
    primitives: {
      ...elementwise(launch),
      ...reductions,
      ...products,
      ...rowsById(launch),
      ...layout(launch),
      ...draws,
    },
    fused: {
      linear,
      dot,
      dropout,
      ...softmax(launch),
      ...activation(launch),
      ...norm(launch),
      ...rotary(launch),
      ...attention(launch),
      ...crossEntropy(launch),
      ...adamW(launch),
    },
  }
}
