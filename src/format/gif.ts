/** Animated GIF through modern-gif: pictures of one size in a loop, at most 255 colours a frame. */
import { encode } from 'modern-gif'
import { type Pictures, pictureAt } from './pictures.ts'
import { interleaved } from './png.ts'

export interface GifOptions {
  /** Milliseconds a frame. */
  readonly delay: number
  /** The last frame stays for so many. */
  readonly lastDelay: number
}

const opaque = (frame: Pictures): Uint8ClampedArray<ArrayBuffer> => {
  const { channels } = frame
  const samples = interleaved(frame)
  return Uint8ClampedArray.from({ length: frame.height * frame.width * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : samples[Math.floor(i / 4) * channels + Math.min(i % 4, channels - 1)],
  )
}

/** The bytes of a GIF file. */
export const writeGif = async (frames: Pictures, { delay, lastDelay }: GifOptions): Promise<Uint8Array> => {
  const { count, height, width } = frames
  const bytes = await encode({
    width,
    height,
    maxColors: 255,
    frames: Array.from({ length: count }, (_, i) => ({
      data: opaque(pictureAt(frames, i)),
      width,
      height,
      delay: i === count - 1 ? lastDelay : delay,
    })),
  })
  return new Uint8Array(bytes)
}
