/** The elementwise halves of LSTM and GRU steps over rows, gates side by side in a row (PyTorch's order), and their pullbacks. */
import { sigmoid4, tanh4 } from './functions'
import { madd, nmadd, splat, storePart } from './simd'

/** x (1 - x), the slope of a sigmoid by its value. */
@inline
function slope(x: v128): v128 {
  return f32x4.mul(x, f32x4.sub(splat(1.0), x))
}

/** Gates i, f, g, o (4 width a row). */
export function lstmCell(hidden: usize, next: usize, gates: usize, cell: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2
  for (; rows > 0; rows--) {
    for (let j = 0; j < width; j += 4) {
      const at = <usize>j << 2
      const input = sigmoid4(v128.load(gates + at))
      const forget = sigmoid4(v128.load(gates + bytes + at))
      const candidate = tanh4(v128.load(gates + 2 * bytes + at))
      const output = sigmoid4(v128.load(gates + 3 * bytes + at))
      const c = madd(forget, v128.load(cell + at), f32x4.mul(input, candidate))
      storePart(next + at, c, width - j)
      storePart(hidden + at, f32x4.mul(output, tanh4(c)), width - j)
    }
    hidden += bytes
    next += bytes
    cell += bytes
    gates += 4 * bytes
  }
}

export function lstmCellPullback(
  dGates: usize, dCell: usize, dHidden: usize, dNext: usize, gates: usize, cell: usize, rows: i32, width: i32,
): void {
  const bytes = <usize>width << 2
  const one = splat(1.0)
  for (; rows > 0; rows--) {
    for (let j = 0; j < width; j += 4) {
      const at = <usize>j << 2
      const left = width - j
      const input = sigmoid4(v128.load(gates + at))
      const forget = sigmoid4(v128.load(gates + bytes + at))
      const candidate = tanh4(v128.load(gates + 2 * bytes + at))
      const output = sigmoid4(v128.load(gates + 3 * bytes + at))
      const before = v128.load(cell + at)
      const bounded = tanh4(madd(forget, before, f32x4.mul(input, candidate)))
      const d = v128.load(dHidden + at)
      const through = madd(f32x4.mul(d, output), nmadd(bounded, bounded, one), v128.load(dNext + at))
      storePart(dCell + at, f32x4.mul(through, forget), left)
      storePart(dGates + at, f32x4.mul(f32x4.mul(through, candidate), slope(input)), left)
      storePart(dGates + bytes + at, f32x4.mul(f32x4.mul(through, before), slope(forget)), left)
      storePart(dGates + 2 * bytes + at, f32x4.mul(f32x4.mul(through, input), nmadd(candidate, candidate, one)), left)
      storePart(dGates + 3 * bytes + at, f32x4.mul(f32x4.mul(d, bounded), slope(output)), left)
    }
    dHidden += bytes
    dNext += bytes
    dCell += bytes
    cell += bytes
    gates += 4 * bytes
    dGates += 4 * bytes
  }
}

/** Gates r, z, n (3 width a row), those from the input and those from the hidden state. */
export function gruCell(
  next: usize, fromInput: usize, fromHidden: usize, hidden: usize, rows: i32, width: i32,
): void {
  const bytes = <usize>width << 2
  for (; rows > 0; rows--) {
    for (let j = 0; j < width; j += 4) {
      const at = <usize>j << 2
      const reset = sigmoid4(f32x4.add(v128.load(fromInput + at), v128.load(fromHidden + at)))
      const update = sigmoid4(f32x4.add(v128.load(fromInput + bytes + at), v128.load(fromHidden + bytes + at)))
      const own = v128.load(fromHidden + 2 * bytes + at)
      const candidate = tanh4(madd(reset, own, v128.load(fromInput + 2 * bytes + at)))
      const kept = f32x4.mul(update, v128.load(hidden + at))
      storePart(next + at, madd(f32x4.sub(splat(1.0), update), candidate, kept), width - j)
    }
    next += bytes
    hidden += bytes
    fromInput += 3 * bytes
    fromHidden += 3 * bytes
  }
}

export function gruCellPullback(
  dFromInput: usize, dFromHidden: usize, dHidden: usize, d: usize, fromInput: usize, fromHidden: usize, hidden: usize,
  rows: i32, width: i32,
): void {
  const bytes = <usize>width << 2
  const one = splat(1.0)
  for (; rows > 0; rows--) {
    for (let j = 0; j < width; j += 4) {
      const at = <usize>j << 2
      const left = width - j
      const reset = sigmoid4(f32x4.add(v128.load(fromInput + at), v128.load(fromHidden + at)))
      const update = sigmoid4(f32x4.add(v128.load(fromInput + bytes + at), v128.load(fromHidden + bytes + at)))
      const own = v128.load(fromHidden + 2 * bytes + at)
      const candidate = tanh4(madd(reset, own, v128.load(fromInput + 2 * bytes + at)))
      const g = v128.load(d + at)
      const dCandidate = f32x4.mul(f32x4.mul(g, f32x4.sub(one, update)), nmadd(candidate, candidate, one))
      const dReset = f32x4.mul(f32x4.mul(dCandidate, own), slope(reset))
      const dUpdate = f32x4.mul(f32x4.mul(g, f32x4.sub(v128.load(hidden + at), candidate)), slope(update))
      storePart(dHidden + at, f32x4.mul(g, update), left)
      storePart(dFromInput + at, dReset, left)
      storePart(dFromHidden + at, dReset, left)
      storePart(dFromInput + bytes + at, dUpdate, left)
      storePart(dFromHidden + bytes + at, dUpdate, left)
      storePart(dFromInput + 2 * bytes + at, dCandidate, left)
      storePart(dFromHidden + 2 * bytes + at, f32x4.mul(dCandidate, reset), left)
    }
    d += bytes
    hidden += bytes
    dHidden += bytes
    fromInput += 3 * bytes
    fromHidden += 3 * bytes
    dFromInput += 3 * bytes
    dFromHidden += 3 * bytes
  }
}
