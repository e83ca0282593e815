/**
 * Kernels over many tensors as one run of elements, of which `start` to `end` are computed: one call a step, and threads
 * share it evenly. A table has a row of words for each tensor: the elements up to its end, then addresses.
 */
import { accumulate } from './elementwise'
import { rowDot } from './reduce'
import { madd, splat, storePart } from './simd'

/** Elements whose squares are one sum, so that threads can split a norm without changing it. */
const PART: i32 = 16384

/** Words of a row of each kernel's table. */
const ADAM_WORDS: usize = 7
const PAIR_WORDS: usize = 3

@inline
function address(row: usize, word: usize): usize {
  return <usize>load<u32>(row + (word << 2))
}

/**
 * adamW, in place on both moments: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * update = -rate (m / correction1 / (sqrt(v / correction2) + epsilon) + decay parameter).
 * Kingma & Ba, arXiv 1412.6980; Loshchilov & Hutter, arXiv 1711.05101.
 * Rows: end, update, m, v, g, parameter, decay (f32).
 */
export function adamW(
  table: usize, rate: f32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32, inverse1: f32, inverse2: f32,
  start: i32, end: i32,
): void {
  let before = 0
  for (; before < end; table += ADAM_WORDS << 2) {
    const behind = load<i32>(table)
    const from = max(start, before)
    const at = <usize>(from - before) << 2
    if (from < behind) {
      adamWOf(
        address(table, 1) + at, address(table, 2) + at, address(table, 3) + at, address(table, 4) + at,
        address(table, 5) + at, rate, beta1, rest1, beta2, rest2, epsilon, f32.load(table, 24), inverse1, inverse2,
        min(end, behind) - from,
      )
    }
    before = behind
  }
}

function adamWOf(
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

/** out = x * factor, which stands in memory. Rows: end, out, x. */
export function scaleEach(table: usize, factor: usize, start: i32, end: i32): void {
  const s = v128.load32_splat(factor)
  let before = 0
  for (; before < end; table += PAIR_WORDS << 2) {
    const behind = load<i32>(table)
    const from = max(start, before)
    const at = <usize>(from - before) << 2
    let out = address(table, 1) + at
    let x = address(table, 2) + at
    for (let i = min(end, behind) - from; i > 0; i -= 4, out += 16, x += 16) {
      storePart(out, f32x4.mul(v128.load(x), s), i)
    }
    before = behind
  }
}

/** out += x. Rows: end, out, x. */
export function accumulateEach(table: usize, start: i32, end: i32): void {
  let before = 0
  for (; before < end; table += PAIR_WORDS << 2) {
    const behind = load<i32>(table)
    const from = max(start, before)
    const at = <usize>(from - before) << 2
    if (from < behind) accumulate(address(table, 1) + at, address(table, 2) + at, 1.0, min(end, behind) - from)
    before = behind
  }
}

/** Parts of a tensor of `size` numbers. */
export function squareParts(size: i32): i32 {
  return (size + PART - 1) / PART
}

/** Sums of squares of parts `start` to `end`, a number each. Rows: the parts up to the tensor's end, x, its size. */
export function squaresOfParts(out: usize, table: usize, start: i32, end: i32): void {
  let before = 0
  for (; before < end; table += PAIR_WORDS << 2) {
    const behind = load<i32>(table)
    for (let part = max(start, before); part < min(end, behind); part++) {
      const first = (part - before) * PART
      const x = address(table, 1) + (<usize>first << 2)
      f32.store(out + (<usize>part << 2), rowDot(x, x, min(PART, load<i32>(table, 8) - first)))
    }
    before = behind
  }
}
