/** What an engine counts, so that laws about resources and cost are testable on every engine. */
export interface Counter {
  /** Storages made and freed; their difference is zero at teardown (law S15). */
  allocated: number
  freed: number
  liveBytes: number
  peakBytes: number
  /** Kernels started. After an unsubscribe it stands still (law S10). */
  launches: number
  /** Floating-point operations asked for; multiply and add count two. */
  flops: number
  /** Bytes of tensors read and written by kernels, each counted once a launch. */
  movedBytes: number
  /** Bytes copied because a consumed storage had another owner. */
  copiedBytes: number
}

export const counter = (): Counter => ({
  allocated: 0,
  freed: 0,
  liveBytes: 0,
  peakBytes: 0,
  launches: 0,
  flops: 0,
  movedBytes: 0,
  copiedBytes: 0,
})

export const countAllocation = (count: Counter, bytes: number): void => {
  count.allocated++
  count.liveBytes += bytes
  if (count.liveBytes > count.peakBytes) count.peakBytes = count.liveBytes
}

export const countFree = (count: Counter, bytes: number): void => {
  count.freed++
  count.liveBytes -= bytes
}
