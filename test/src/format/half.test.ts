import fc from 'fast-check'
import test from 'tape'
import {
  bf16Narrow,
  bf16ToF32,
  bf16Widen,
  f16Narrow,
  f16ToF32,
  f16Widen,
  f32ToBf16,
  f32ToF16,
} from '../../../src/format/half.ts'
import { breaks, holds } from '../../property.ts'

const value = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0
const anyBits = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  // Around F16's range, where the interesting roundings are.
  fc.integer({ min: 0x32000000, max: 0x48000000 }),
  fc.integer({ min: 0x32000000, max: 0x48000000 }).map(bits => (bits & 0xfffff000) >>> 0),
)

/** The rule itself, by search: the nearest of all finite values of the format, ties to the even pattern. */
const nearest = (widen: (half: number) => number, infinity: number, overflow: number) => {
  const magnitudes = Float64Array.from({ length: infinity }, (_, pattern) => value(widen(pattern)))
  return (bits: number): number => {
    const x = Math.abs(value(bits))
    const sign = bits >>> 31 === 1 ? 0x8000 : 0
    if (x >= overflow) return sign | infinity
    let low = 0
    let high = infinity - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((magnitudes[middle] ?? 0) <= x) low = middle
      else high = middle - 1
    }
    const [below, above] = [magnitudes[low] ?? 0, magnitudes[low + 1] ?? Infinity]
    const up = x - below > above - x || (x - below === above - x && low % 2 === 1)
    return sign | (up ? low + 1 : low)
  }
}

const formats = [
  {
    name: 'F16',
    widen: f16Widen,
    narrow: f16Narrow,
    infinity: 0x7c00,
    overflow: 65520,
    many: f16ToF32,
    fewer: f32ToF16,
  },
  {
    name: 'BF16',
    widen: bf16Widen,
    narrow: bf16Narrow,
    infinity: 0x7f80,
    overflow: 2 ** 127 * (2 - 2 ** -8),
    many: bf16ToF32,
    fewer: f32ToBf16,
  },
]

for (const { name, widen, narrow, infinity, overflow, many, fewer } of formats) {
  test(`${name}: widening then narrowing is the identity on all 65536 patterns, NaN payloads included`, t => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
    t.deepEqual(fewer(many(all)), all)
    t.end()
  })

  test(`${name}: narrowing rounds to nearest, ties to even`, t => {
    const rule = nearest(widen, infinity, overflow)
    const agrees = (by: (bits: number) => number) =>
      fc.property(anyBits, bits => Number.isNaN(value(bits)) || by(bits) === rule(bits))
    holds(t, `${name} equals the search`, agrees(narrow), { numRuns: 3000 })
    breaks(
      t,
      'truncation',
      agrees(bits => narrow((bits & (name === 'F16' ? 0xffffe000 : 0xffff0000)) >>> 0)),
      { numRuns: 3000 },
    )
    for (const nan of [0x7f800001, 0xff800001, 0x7fc00000]) {
      t.ok(Number.isNaN(value(widen(narrow(nan)))), `${nan.toString(16)} stays a NaN`)
    }
    t.end()
  })
}

test('F16 and BF16: known values', t => {
  t.deepEqual(
    f32ToF16(Float32Array.of(1, -2, 65504, 65519, 65520, 2 ** -24, 2 ** -25, -0, 0.1)),
    Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x7bff, 0x7c00, 1, 0, 0x8000, 0x2e66),
  )
  t.deepEqual(
    f32ToBf16(Float32Array.of(1, -2, 0.1, 3.4e38, Infinity)),
    Uint16Array.of(0x3f80, 0xc000, 0x3dcd, 0x7f80, 0x7f80),
  )
  t.end()
})
