/** A folder of pictures that a model learns in seconds, and what a run leaves. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { latestCheckpoint } from '../../../pipelines/checkpoint.ts'
import { digest } from '../../../pipelines/readText.ts'
import type { Pictures } from '../../../src/format/pictures.ts'
import { writePng } from '../../../src/format/png.ts'

export const SIDE = 14

/** A bar across at one of two places, with a little noise. */
export const bar = (label: number, seed: number): Pictures => ({
  count: 1,
  channels: 1,
  height: SIDE,
  width: SIDE,
  pixels: Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
    const row = Math.floor(i / SIDE)
    return row > 6 === (label === 1) ? 220 + ((i * seed) % 30) : (i * seed) % 20
  }),
})

/** A folder of PNG files, those of a class in a folder each. */
export const writeBars = (folder: string, count = 40): void => {
  for (const [label, name] of ['above', 'below'].entries()) {
    mkdirSync(`${folder}/${name}`, { recursive: true })
    for (let i = 0; i < count; i++) writeFileSync(`${folder}/${name}/${i}.png`, writePng(bar(label, i + 1)))
  }
}

/** Digests of all that the latest checkpoint holds. */
export const lastState = (out: string): readonly string[] =>
  ['model.safetensors', 'optimizer.safetensors', 'state.json', 'config.json'].map(file =>
    digest(readFileSync(`${latestCheckpoint(out)}/${file}`)),
  )
