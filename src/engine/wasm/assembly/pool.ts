/** Windows over planes: maxima and sums under each position, and what flows back. Every window sees an element. */
import { splat, storePart } from './simd'

/** The first row or column of a position's window that lies in the plane. */
@inline
function firstOf(position: i32, stride: i32, padding: i32): i32 {
  return max(position * stride - padding, 0)
}

@inline
function endOf(position: i32, stride: i32, padding: i32, kernel: i32, length: i32): i32 {
  return min(position * stride - padding + kernel, length)
}

/** The address of the first largest element of x (rows of `width`) in the window. NaN is larger than all. */
@inline
function largest(x: usize, width: i32, top: i32, bottom: i32, left: i32, right: i32): usize {
  let at = x + (<usize>(top * width + left) << 2)
  let best = f32.load(at)
  for (let i = top; i < bottom; i++) {
    let from = x + (<usize>(i * width + left) << 2)
    for (let j = left; j < right; j++, from += 4) {
      const value = f32.load(from)
      if (value > best || (value != value && best == best)) {
        best = value
        at = from
      }
    }
  }
  return at
}

export function maxPool(
  y: usize, x: usize, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, kernelHeight: i32,
  kernelWidth: i32, strideHeight: i32, strideWidth: i32, paddingHeight: i32, paddingWidth: i32,
): void {
  for (; planes > 0; planes--, x += <usize>(height * width) << 2) {
    for (let i = 0; i < outHeight; i++) {
      const top = firstOf(i, strideHeight, paddingHeight)
      const bottom = endOf(i, strideHeight, paddingHeight, kernelHeight, height)
      for (let j = 0; j < outWidth; j++, y += 4) {
        const left = firstOf(j, strideWidth, paddingWidth)
        const right = endOf(j, strideWidth, paddingWidth, kernelWidth, width)
        f32.store(y, f32.load(largest(x, width, top, bottom, left, right)))
      }
    }
  }
}

export function maxPoolPullback(
  dx: usize, dy: usize, x: usize, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, paddingHeight: i32, paddingWidth: i32,
): void {
  const plane = <usize>(height * width) << 2
  for (; planes > 0; planes--, x += plane, dx += plane) {
    memory.fill(dx, 0, plane)
    for (let i = 0; i < outHeight; i++) {
      const top = firstOf(i, strideHeight, paddingHeight)
      const bottom = endOf(i, strideHeight, paddingHeight, kernelHeight, height)
      for (let j = 0; j < outWidth; j++, dy += 4) {
        const left = firstOf(j, strideWidth, paddingWidth)
        const right = endOf(j, strideWidth, paddingWidth, kernelWidth, width)
        const to = dx + (largest(x, width, top, bottom, left, right) - x)
        f32.store(to, f32.load(to) + f32.load(dy))
      }
    }
  }
}

export function sumPool(
  y: usize, x: usize, factor: f32, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, paddingHeight: i32, paddingWidth: i32,
): void {
  for (; planes > 0; planes--, x += <usize>(height * width) << 2) {
    for (let i = 0; i < outHeight; i++) {
      const top = firstOf(i, strideHeight, paddingHeight)
      const bottom = endOf(i, strideHeight, paddingHeight, kernelHeight, height)
      for (let j = 0; j < outWidth; j++, y += 4) {
        const left = firstOf(j, strideWidth, paddingWidth)
        const right = endOf(j, strideWidth, paddingWidth, kernelWidth, width)
        let sum: f32 = 0.0
        for (let k = top; k < bottom; k++) {
          const row = x + (<usize>(k * width) << 2)
          for (let l = left; l < right; l++) sum += f32.load(row + (<usize>l << 2))
        }
        f32.store(y, sum * factor)
      }
    }
  }
}

/** `spread` where windows of 2 columns lie side by side and fill the planes, `rows` rows of windows in all. */
function repeat(dx: usize, dy: usize, factor: f32, rows: i32, outWidth: i32, kernelHeight: i32): void {
  const f = splat(factor)
  const line = <usize>outWidth << 3
  for (; rows > 0; rows--, dy += <usize>outWidth << 2) {
    for (let j = 0; j < outWidth; j += 4) {
      const value = f32x4.mul(v128.load(dy + (<usize>j << 2)), f)
      const left = v128.shuffle<f32>(value, value, 0, 0, 1, 1)
      const right = v128.shuffle<f32>(value, value, 2, 2, 3, 3)
      const count = (outWidth - j) << 1
      let to = dx + (<usize>j << 3)
      for (let k = 0; k < kernelHeight; k++, to += line) {
        storePart(to, left, count)
        storePart(to + 16, right, count - 4)
      }
    }
    dx += line * <usize>kernelHeight
  }
}

/** The adjoint of sumPool. */
export function spread(
  dx: usize, dy: usize, factor: f32, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, paddingHeight: i32, paddingWidth: i32,
): void {
  const fills = strideHeight == kernelHeight && height == outHeight * kernelHeight && width == 2 * outWidth
  if (fills && strideWidth == 2 && kernelWidth == 2 && (paddingHeight | paddingWidth) == 0) {
    repeat(dx, dy, factor, planes * outHeight, outWidth, kernelHeight)
    return
  }
  const plane = <usize>(height * width) << 2
  for (; planes > 0; planes--, dx += plane) {
    memory.fill(dx, 0, plane)
    for (let i = 0; i < outHeight; i++) {
      const top = firstOf(i, strideHeight, paddingHeight)
      const bottom = endOf(i, strideHeight, paddingHeight, kernelHeight, height)
      for (let j = 0; j < outWidth; j++, dy += 4) {
        const left = firstOf(j, strideWidth, paddingWidth)
        const right = endOf(j, strideWidth, paddingWidth, kernelWidth, width)
        const value = f32.load(dy) * factor
        for (let k = top; k < bottom; k++) {
          const row = dx + (<usize>(k * width) << 2)
          for (let l = left; l < right; l++) f32.store(row + (<usize>l << 2), f32.load(row + (<usize>l << 2)) + value)
        }
      }
    }
  }
}
