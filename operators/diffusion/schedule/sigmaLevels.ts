import { clean, type Level, noiseRatio } from '../level.ts'
import { levelAt, type NoiseSchedule } from './noiseSchedule.ts'

/** Variance-exploding levels of these sigmas, then the clean one. The model is told sigma, or what `timeOf` makes of it (EDM: ln σ / 4). */
export const explodingLevels = (sigmas: readonly number[], timeOf = (sigma: number): number => sigma): Level[] => [
  ...sigmas.map(sigma => ({ time: timeOf(sigma), alpha: 1, sigma })),
  clean,
]

/** The level of a variance-preserving schedule at a ratio sigma / alpha. Its time is interpolated along log(sigma / alpha), and may lie between two whole ones. */
export const levelOfRatio = (schedule: NoiseSchedule): ((ratio: number) => Level) => {
  const logs = Float64Array.from(schedule.alphaBars, (_, t) => Math.log(noiseRatio(levelAt(schedule, t))))
  const timeOf = (sigma: number): number => {
    const log = Math.log(sigma)
    const above = logs.findIndex(other => other >= log)
    if (above === 0) return 0
    if (above < 0) return logs.length - 1
    const [low, high] = [logs[above - 1], logs[above]]
    return above - 1 + (log - low) / (high - low)
  }
  return ratio => {
    const alpha = 1 / Math.sqrt(1 + ratio ** 2)
    return { time: timeOf(ratio), alpha, sigma: ratio * alpha }
  }
}

/** Levels of a variance-preserving schedule at these ratios sigma / alpha, then the clean one, so that Karras' sigmas serve a model trained on T times. */
export const preservingLevels = (schedule: NoiseSchedule, sigmas: readonly number[]): Level[] => [
  ...sigmas.map(levelOfRatio(schedule)),
  clean,
]
