import { fromAlphaBar, type NoiseSchedule } from './noiseSchedule.ts'

/**
 * ᾱ(u) = f(u) / f(0), f(u) = cos²((u + s) / (1 + s) · π/2), β at most 0.999: noise grows slowly at both ends
 * (Nichol & Dhariwal, arXiv 2102.09672, eq. 17; s = 0.008). Law X1.
 */
export const cosineSchedule = (steps = 1000, offset = 0.008): NoiseSchedule =>
  fromAlphaBar(steps, u => Math.cos((((u + offset) / (1 + offset)) * Math.PI) / 2) ** 2)
