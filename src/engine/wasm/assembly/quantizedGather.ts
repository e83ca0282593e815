/** Columns of a packed matrix in blocks of 8 bits (quantized.ts), widened. */
import { widen1 } from './halves'
import { BLOCK, BLOCK_BYTES, PANEL, SCALES } from './quantizedLayout'

/** out[i, :] = the weights of column ids[i]: scale · number. */
export function quantizedGather(out: usize, w: usize, ids: usize, count: i32, inner: i32): void {
  const panelBytes = <usize>((inner + BLOCK - 1) / BLOCK) * BLOCK_BYTES
  for (; count > 0; count--, ids += 4) {
    const id = load<u32>(ids)
    const lane = <usize>(id & (PANEL - 1))
    let from = w + <usize>(id / PANEL) * panelBytes
    for (let k = 0; k < inner; k += BLOCK) {
      const scale = widen1(load<u16>(from + (lane << 1)))
      const last = min(BLOCK, inner - k)
      for (let i = 0; i < last; i++) {
        // Quad i / 4, of it lane i / 2 % 2; the even number is biased by 128.
        const byte = load<u8>(from + SCALES + (<usize>(i >> 2) << 6) + (lane << 2) + <usize>(i & 3))
        f32.store(out, scale * <f32>(i & 1 ? <i32><i8>byte : <i32>byte - 128))
        out += 4
      }
      from += BLOCK_BYTES
    }
  }
}
