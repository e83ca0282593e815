/** Reads `bytes` behind each of three addresses, `step` apart, into the caches; what it returns means nothing. */
export function readAhead(from: usize, step: usize, bytes: usize): i32 {
  let sum = 0
  const end = from + bytes
  for (; from < end; from += 64) sum ^= load<i32>(from) ^ load<i32>(from + step) ^ load<i32>(from + 2 * step)
  return sum
}
