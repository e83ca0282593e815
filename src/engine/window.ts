/** A window that slides over planes (height, width), with zeros around them. */
export interface Window {
  readonly height: number
  readonly width: number
  readonly outHeight: number
  readonly outWidth: number
  readonly kernelHeight: number
  readonly kernelWidth: number
  readonly strideHeight: number
  readonly strideWidth: number
  readonly paddingHeight: number
  readonly paddingWidth: number
  readonly dilationHeight: number
  readonly dilationWidth: number
}

/** x (batch, groups * inputs, height, width), y (batch, groups * outputs, outHeight, outWidth), weight (groups * outputs, inputs, kernelHeight, kernelWidth). */
export interface ConvolutionSizes extends Window {
  readonly batch: number
  readonly groups: number
  /** Channels a group. */
  readonly inputs: number
  readonly outputs: number
}

/** x (planes, height, width), y (planes, outHeight, outWidth); dilation is 1 and every window sees an element. */
export interface PoolSizes extends Window {
  readonly planes: number
}
