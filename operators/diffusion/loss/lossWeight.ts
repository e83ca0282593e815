/**
 * How much each noise level counts in training, as the weight W of ‖x0 - x̂0‖²:
 *
 *   snr            SNR                 the plain loss of ε (Ho et al., arXiv 2006.11239, eq. 14)
 *   truncatedSnr   max(SNR, 1)         Salimans & Ho, arXiv 2202.00512, 4
 *   minSnr         min(SNR, γ)         Hang et al., arXiv 2303.09556; γ = 5
 *
 * or `simple`: the prediction's own squared error, whatever its kind. An error in prediction p is D/sigma times that in x0, so p's weight is W (sigma / D)²:
 * for min-SNR min(SNR, γ)/SNR of ε and min(SNR, γ)/(SNR + 1) of v.
 */
import { type Level, signalToNoise } from '../level.ts'
import { type Parametrization, weightsOf } from '../parametrization.ts'

export type Weighting = 'simple' | 'snr' | 'truncatedSnr' | 'minSnr'

const ofData: Readonly<Record<Exclude<Weighting, 'simple'>, (snr: number, gamma: number) => number>> = {
  snr: snr => snr,
  truncatedSnr: snr => Math.max(snr, 1),
  minSnr: (snr, gamma) => Math.min(snr, gamma),
}

/** The weight of the squared error of a prediction at a level. */
export const lossWeight = (kind: Parametrization, weighting: Weighting, at: Level, gamma = 5): number =>
  weighting === 'simple'
    ? 1
    : ofData[weighting](signalToNoise(at), gamma) * (at.sigma / weightsOf(kind, at).determinant) ** 2
