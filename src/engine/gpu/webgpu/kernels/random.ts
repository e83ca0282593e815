/**
 * Philox4x32-10 on the device, with the bits of src/random (law R4): thread i makes words 4 i … 4 i + 3. A uniform is the upper 24 bits times
 * 2^-24, and at least a rate exactly where those bits are at least ⌈rate 2^24⌉: integers, so that no rounding flips a dropout mask.
 */
import type { Key } from '../../../../random.ts'
import type { Fused } from '../../../fused.ts'
import type { Primitives } from '../../../primitives.ts'
import type { WgslLauncher } from '../launcher.ts'
import { WORKGROUP } from '../program.ts'

const PHILOX = `
fn high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u);
}
fn words(counter: u32, key0: u32, key1: u32) -> vec4<u32> {
  var c = vec4<u32>(counter, 0u, 0u, 0u);
  var k = vec2<u32>(key0, key1);
  for (var round = 0u; round < 10u; round++) {
    c = vec4<u32>(high(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high(0xd2511f53u, c.x) ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c >> vec4<u32>(8u);
}`

export const random = ({ dispatch }: WgslLauncher): Pick<Primitives, 'uniform'> & Required<Pick<Fused, 'dropout'>> => {
  /** Four elements a thread: `i` is one, `bits` its 24 random bits. */
  const element = (body: string): string => `let block = group * ${WORKGROUP}u + lane;
let four = words(block, p.key0, p.key1);
for (var j = 0u; j < 4u; j++) { let i = 4u * block + j; let bits = four[j]; if (i < p.size) { ${body} } }`
  const integers = ['size', 'key0', 'key1']
  const groups = (size: number): number => Math.ceil(size / (4 * WORKGROUP))
  const scalars = (key: Key, size: number): readonly number[] => [size, ...key]
  return {
    uniform: (out, key, size) =>
      dispatch(
        'uniform',
        () => ({
          reads: [],
          writes: ['out'],
          integers,
          declarations: PHILOX,
          body: element('out[i] = f32(bits) * 5.9604644775390625e-8;'),
        }),
        groups(size),
        { reads: [], writes: [out], scalars: scalars(key, size) },
      ),
    dropout: (out, x, key, rate, size) =>
      dispatch(
        'dropout',
        () => ({
          reads: ['x'],
          writes: ['out'],
          integers: [...integers, 'threshold'],
          reals: ['kept'],
          declarations: PHILOX,
          body: element('out[i] = select(0.0, x[i] / p.kept, bits >= p.threshold);'),
        }),
        groups(size),
        { reads: [x], writes: [out], scalars: [...scalars(key, size), Math.ceil(rate * 2 ** 24), 1 - rate] },
      ),
  }
}
