import { type AdamOptions, type AdamState, adamW } from './adamW.ts'
import type { Optimizer } from './optimizer.ts'

/** Adam (Kingma & Ba, arXiv 1412.6980): adamW without decay (law O4). Law O3. */
export const adam = ({ rate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions): Optimizer<AdamState> =>
  adamW({ rate, beta1, beta2, epsilon, weightDecay: 0 })
