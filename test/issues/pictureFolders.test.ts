/**
 * Folders of pictures as they are found: MNIST under the other names it goes by was read without its labels, unpacked beside its archive with pictures for labels; a link
 * that leads nowhere was a stack trace; folders without pictures, hidden ones too, were classes.
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
