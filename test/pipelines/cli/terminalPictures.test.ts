import { Writable } from 'node:stream'
import { NEVER } from 'rxjs'
import test from 'tape'
import { terminalGrid, terminalPictures } from '../../../pipelines/cli/terminalPictures.ts'
import type { Pictures } from '../../../src/format/pictures.ts'

const digits = (count: number): Pictures => ({
  count,
  channels: 1,
  height: 28,
  width: 28,
  pixels: new Uint8Array(count * 784).map((_, i) => i),
})

test('terminalGrid: all columns where they fit, else fewer, else smaller', t => {
  const size = (count: number, columns: number, room: number) => {
    const { width, height } = terminalGrid(digits(count), columns, room)
    return [width, height]
  }
  t.deepEqual(size(10, 10, 302), [302, 32], 'all ten in a row')
  t.deepEqual(size(10, 10, 301), [272, 62], 'nine')
  t.deepEqual(size(10, 10, 80), [76, 31], 'five a row of half the size')
  t.deepEqual(size(2, 2, 80), [62, 32], 'two fit whole')
  t.deepEqual(size(1, 1, 10), [16, 16], 'never none')
  t.end()
})

/** What reaches a terminal of so many rows, or a pipe. */
const written = (rows: number | null): string => {
  let text = ''
  const stdout = new Writable({
    write: (chunk, _, done) => {
      text += String(chunk)
      done()
    },
  })
  const io = {
    stdout: rows === null ? stdout : Object.assign(stdout, { isTTY: true, columns: 80, rows }),
    stderr: stdout,
    interrupt$: NEVER,
  }
  const screen = terminalPictures(io, 2)
  screen.frame(digits(2))
  screen.frame(digits(2))
  screen.end(digits(2), true)
  return text
}

test('terminalPictures: frames over one another where they fit, the end alone elsewhere', t => {
  const ups = (text: string): number => text.split('\u001b[16A').length - 1
  const lines = (text: string): number => text.split('\n').length - 1
  t.deepEqual([ups(written(40)), lines(written(40))], [2, 48])
  t.deepEqual([ups(written(16)), lines(written(16))], [0, 16], 'a terminal too low to go back')
  t.deepEqual([ups(written(null)), lines(written(null))], [0, 16], 'a pipe')
  t.end()
})
