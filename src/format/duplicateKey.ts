/**
 * JSON.parse keeps the last of two equal keys in silence; formats in which that would hide a tensor or a token forbid it.
 */

/** The first key that occurs twice in one object of a valid JSON text, or null. */
export const duplicateKey = (json: string): string | null => {
  const objects: (Set<string> | null)[] = []
  // Strings and brackets are all that matter; in valid JSON a string followed by a colon is a key.
  for (const [piece] of json.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (piece === '{') objects.push(new Set())
    else if (piece === '[') objects.push(null)
    else if (piece === '}' || piece === ']') objects.pop()
    else if (piece.endsWith(':')) {
      const key = String(JSON.parse(piece.slice(0, piece.lastIndexOf('"') + 1)))
      const keys = objects.at(-1)
      if (keys?.has(key)) return key
      keys?.add(key)
    }
  }
  return null
}
