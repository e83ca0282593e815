/**
 * Folders of pictures as they are found: MNIST under the other names it goes by was read without its labels, unpacked beside its archive with pictures for labels; a link
 * that leads nowhere was a stack trace; folders without pictures, hidden ones too, were classes. Of pictures of several sizes none was named, and nothing made them one.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import test from 'tape'
import { readPictures } from '../../pipelines/readPictures.ts'
import { InputError } from '../../src/errors.ts'
import { writePng } from '../../src/format/png.ts'
import { inTemporaryFolder } from '../pipelines/cli/harness.ts'

const pictures = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7, 9)
const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 0)
const png = writePng({ count: 1, channels: 1, height: 1, width: 1, pixels: Uint8Array.of(5) })

test('MNIST has its labels under either of its names, packed or not or both', async t =>
  inTemporaryFolder(async path => {
    for (const [at, dot] of ['-', '.'].entries())
      for (const [packed, ending] of ['', '.gz'].entries()) {
        const folder = path(`${at}${packed}`)
        mkdirSync(folder)
        const write = (name: string, bytes: Uint8Array): void =>
          writeFileSync(`${folder}/${name}`, name.endsWith('.gz') ? gzipSync(bytes) : bytes)
        write(`train-images${dot}idx3-ubyte${ending}`, pictures)
        t.equal(readPictures(folder).labels, null, 'none beside')
        write(`train-images${dot}idx3-ubyte.gz`, pictures)
        t.equal(readPictures(`${folder}/train-images${dot}idx3-ubyte.gz`).labels, null, 'another copy is none')
        write(`train-labels${dot}idx1-ubyte${ending}`, labels)
        t.deepEqual([...(readPictures(folder).labels ?? [])], [1, 0], `train-labels${dot}idx1-ubyte${ending}`)
      }
  }))

test('a link that leads nowhere is named; folders without pictures are no classes', async t =>
  inTemporaryFolder(async path => {
    for (const name of ['set', 'set/b', 'set/a', 'set/.cache', 'set/notes']) mkdirSync(path(name))
    for (const name of ['set/a/1.png', 'set/b/2.png', 'set/.cache/3.png']) writeFileSync(path(name), png)
    writeFileSync(path('set/notes/read.txt'), 'nothing')
    const { classes, labels: found } = readPictures(path('set'))
    t.deepEqual([classes, found], [['a', 'b'], Int32Array.of(0, 1)])
    symlinkSync('nowhere', path('set/gone'))
    t.throws(
      () => readPictures(path('set')),
      (error: unknown) => error instanceof InputError && error.message.includes('set/gone: no such file or folder'),
    )
  }))

test('pictures of several sizes: the first other one is named; with a side each is cut and shrunk to it', async t =>
  inTemporaryFolder(async path => {
    mkdirSync(path('set'))
    const plain = (name: string, channels: number, height: number, width: number, of: (x: number) => number): void => {
      const pixels = Uint8Array.from({ length: channels * height * width }, (_, i) => of(i % width))
      writeFileSync(path(`set/${name}.png`), writePng({ count: 1, channels, height, width, pixels }))
    }
    plain('1', 1, 4, 4, () => 7)
    // Of 8 columns the middle 4 are bright.
    plain('2', 1, 4, 8, x => (x > 1 && x < 6 ? 200 : 0))
    plain('3', 1, 1, 2, x => 100 * x)
    const refused = (message: string, side: number | null): void =>
      t.throws(
        () => readPictures(path('set'), side),
        (error: unknown) => error instanceof InputError && error.message.endsWith(message),
        message,
      )
    refused('set/2.png: expected 4 x 4 grey, as the pictures before, found 8 x 4 grey; see --size', null)
    const { count, height, width, pixels } = readPictures(path('set'), 2)
    t.deepEqual([count, height, width], [3, 2, 2])
    t.deepEqual([...pixels], [7, 7, 7, 7, 200, 200, 200, 200, 0, 100, 0, 100], 'the middle of each')
    t.deepEqual(readPictures(path('set/1.png'), 3).pixels, new Uint8Array(9).fill(7), 'enlarged, of one file too')
    plain('4', 3, 4, 4, () => 7)
    refused('set/4.png: expected 2 x 2 grey, as the pictures before, found 2 x 2 colour', 2)
  }))
