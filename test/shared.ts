/** Real corpora, checkpoints and vectors live beside the checkout; tests that need them say so and pass over where they are absent. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = process.env.FLUXION_SHARED ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'shared')

/** The path of a shared file, or null where it is absent. */
export const sharedPath = (relative: string): string | null => {
  const path = join(root, relative)
  return existsSync(path) ? path : null
}

/** Runs `use` on a shared file, or prints why it could not. */
export const withShared = <T>(
  t: { comment(text: string): void },
  relative: string,
  use: (path: string) => T,
): T | null => {
  const path = sharedPath(relative)
  if (path !== null) return use(path)
  t.comment(`skipped: ${relative} is absent (set FLUXION_SHARED)`)
  return null
}
