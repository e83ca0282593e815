import { boolean, integerIn, naturalNumber, positiveInteger, withDefault } from './fields.ts'

/** What a network over pictures works on, in pixels. */
export const pictureFields = {
  in_channels: positiveInteger,
  height: positiveInteger,
  width: positiveInteger,
  /** 0 where pictures have no class. The id after the last means none. */
  num_classes: withDefault(naturalNumber, 0),
  /** Whether as many channels more say the variance of a reverse step (Nichol & Dhariwal, arXiv 2102.09672). */
  learn_sigma: withDefault(boolean, false),
}

/** Channels of what a network says. */
export const outputChannels = ({
  in_channels,
  learn_sigma,
}: {
  readonly in_channels: number
  readonly learn_sigma: boolean
}): number => (learn_sigma ? 2 : 1) * in_channels

/** Pictures computed at once: more are no input that any memory was meant for. */
export const pictureCount = integerIn('an integer from 1 to 65536', n => n >= 1 && n <= 2 ** 16)

/** Pixels along an axis. */
export const pictureSide = integerIn('an integer from 1 to 4096', n => n >= 1 && n <= 4096)
