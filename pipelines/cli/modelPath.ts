import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { latestCheckpoint } from '../checkpoint.ts'
import { CONFIG } from '../modelFiles.ts'

/** The models that ship with the package. */
const BUNDLED = join('models', 'shakespeare')
const DIGITS = join('models', 'digits')

/** The package's own folder, from sources and from `dist/` alike. */
export const packageFolder = (from = dirname(fileURLToPath(import.meta.url))): string => {
  const parent = dirname(from)
  return existsSync(join(from, 'package.json')) || parent === from ? from : packageFolder(parent)
}

export const bundledModel = (): string => join(packageFolder(), BUNDLED)

/** The diffusion model that ships. */
export const bundledDigits = (): string => join(packageFolder(), DIGITS)

/** The folder to open for a path: of a run that has not ended, its latest checkpoint. */
export const modelPath = (path: string): string =>
  existsSync(join(path, CONFIG)) ? path : (latestCheckpoint(path) ?? path)
