/** Reads `bytes` behind each of two addresses into the caches; what it returns means nothing. */
export function readAhead(first: usize, second: usize, bytes: usize): i32 {
  let sum = 0
  for (let i: usize = 0; i < bytes; i += 64) sum ^= load<i32>(first + i) ^ load<i32>(second + i)
  return sum
}
