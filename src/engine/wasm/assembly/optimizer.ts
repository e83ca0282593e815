/**
 * adamW, in place on both moments: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * update = -rate (m / correction1 / (sqrt(v / correction2) + epsilon) + weightDecay parameter).
 * Kingma & Ba, arXiv 1412.6980; Loshchilov & Hutter, arXiv 1711.05101.
 */
import { madd, splat, storePart } from './simd'

export function adamW(
  update: usize, first: usize, second: usize, gradient: usize, parameter: usize,
  rate: f32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32, decay: f32, inverse1: f32, inverse2: f32,
  size: i32,
): void {
  for (let i = size; i > 0; i -= 4) {
    const g = v128.load(gradient)
    const m = madd(g, splat(rest1), f32x4.mul(v128.load(first), splat(beta1)))
    const v = madd(f32x4.mul(g, g), splat(rest2), f32x4.mul(v128.load(second), splat(beta2)))
    const deviation = f32x4.add(f32x4.sqrt(f32x4.mul(v, splat(inverse2))), splat(epsilon))
    const direction = f32x4.div(f32x4.mul(m, splat(inverse1)), deviation)
    const step = madd(v128.load(parameter), splat(decay), direction)
    storePart(first, m, i)
    storePart(second, v, i)
    storePart(update, f32x4.mul(step, splat(-rate)), i)
    update += 16
    first += 16
    second += 16
    gradient += 16
    parameter += 16
  }
}
