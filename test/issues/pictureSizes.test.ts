/** The same bytes in pictures of another size were taken for the same pictures: a run over them went on as if nothing had changed. */
import test from 'tape'
import { pictureIdentity } from '../../pipelines/diffusion/pictureRecord.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import type { PictureSet } from '../../src/format/pictures.ts'

const engine = referenceEngine()
const pictures: PictureSet = {
  count: 2,
  channels: 1,
  height: 3,
  width: 4,
  pixels: Uint8Array.from({ length: 24 }, (_, i) => i),
  labels: Int32Array.of(0, 1),
  classes: ['a', 'b'],
}
const identity = (change: Partial<PictureSet>): string =>
  pictureIdentity({ pictures: { ...pictures, ...change }, engine }).pictures

test('what tells the pictures of two runs apart: bytes, sizes, classes and their names', t => {
  t.equal(identity({ pixels: pictures.pixels.slice(), labels: Int32Array.of(0, 1) }), identity({}), 'the same pictures')
  const others: Readonly<Record<string, Partial<PictureSet>>> = {
    'turned around': { height: 4, width: 3 },
    'in colour': { channels: 3, height: 1 },
    'more of them': { count: 4, height: 2, width: 3 },
    'another number': { pixels: pictures.pixels.map(value => value ^ 1) },
    'other classes': { labels: Int32Array.of(1, 1) },
    'no classes': { labels: null },
    'other names': { classes: ['a', 'c'] },
  }
  for (const [name, change] of Object.entries(others)) t.notEqual(identity(change), identity({}), name)
  t.end()
})
