/**
 * Two layouts of rotary positions. With angle θᵢ for pair i of a head of width d:
 *
 *   adjacent pairs (Su et al., llama2.c):  (x₂ᵢ, x₂ᵢ₊₁) turns by θᵢ
 *   rotated halves (Hugging Face):         (xᵢ, xᵢ₊d/2) turns by θᵢ
 *
 * They are one rotation in two orders of coordinates: moving coordinate 2i to i and 2i+1 to i+d/2 in queries and keys alike
 * keeps every inner product, so attention is unchanged. The coordinates of a head are the rows of its query and key weights.
 *
 * Source: arXiv 2104.09864; Transformers, convert_llama_weights_to_hf.py (`permute`).
 */

/**
 * Rows of a query or key weight [heads · headWidth, columns] (row-major, [out, in]) from adjacent pairs to halves, head by
 * head. `heads` is the number of key-value heads for a key weight under grouped-query attention.
 */
export const pairsToHalves = (
  weight: Float32Array,
  heads: number,
  headWidth: number,
  columns: number,
): Float32Array => {
  const out = new Float32Array(weight.length)
  const half = headWidth / 2
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < headWidth; i++) {
      const from = head * headWidth + i
      const to = head * headWidth + Math.floor(i / 2) + (i % 2) * half
      out.set(weight.subarray(from * columns, (from + 1) * columns), to * columns)
    }
  }
  return out
}
