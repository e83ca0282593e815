import fc from 'fast-check'
import { encode } from 'fast-png'
import { type Either, isLeft, isRight } from 'fp-ts/lib/Either.js'
import { decodeFrames } from 'modern-gif'
import test from 'tape'
import { orThrow } from '../../../src/codec/decode.ts'
import { InputError } from '../../../src/errors.ts'
import { readCifar10 } from '../../../src/format/cifar10.ts'
import { fitPictures } from '../../../src/format/fitPictures.ts'
import { writeGif } from '../../../src/format/gif.ts'
import { halfBlocks } from '../../../src/format/halfBlocks.ts'
import { readIdx } from '../../../src/format/idx.ts'
import { pictureGrid } from '../../../src/format/pictureGrid.ts'
import { joinPictures, type Pictures, pictureAt, toBytes, toSigned } from '../../../src/format/pictures.ts'
import { readPng, writePng } from '../../../src/format/png.ts'
import { breaks, holds } from '../../property.ts'

const pictures = (most = 9): fc.Arbitrary<Pictures> =>
  fc
    .record({
      count: fc.integer({ min: 1, max: 5 }),
      channels: fc.constantFrom(1, 3),
      height: fc.integer({ min: 1, max: most }),
      width: fc.integer({ min: 1, max: most }),
      seed: fc.nat(),
    })
    .map(({ seed, ...size }) => ({
      ...size,
      pixels: Uint8Array.from(
        { length: size.count * size.channels * size.height * size.width },
        (_, i) => Math.imul(i + seed, 2654435761) >>> 24,
      ),
    }))

const same = (x: Pictures, y: Pictures): boolean =>
  x.channels === y.channels && x.height === y.height && x.width === y.width && x.pixels.join() === y.pixels.join()

const idx = (shape: readonly number[], values: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length)
  bytes.set([0, 0, 8, shape.length])
  shape.forEach((length, axis) => {
    new DataView(bytes.buffer).setUint32(4 + 4 * axis, length)
  })
  bytes.set(values, 4 + 4 * shape.length)
  return bytes
}

test('PNG: written and read again it is the same picture', t => {
  holds(
    t,
    'read(write(picture)) = picture',
    fc.property(pictures(), all => {
      const one = pictureAt(all, 0)
      return same(orThrow(readPng(writePng(one), 'a.png')), one)
    }),
  )
  t.end()
})

test('PNG: depths, palettes and transparency become 8 bits a channel', t => {
  const deep = encode({ width: 2, height: 1, channels: 1, depth: 16, data: Uint16Array.of(0x1234, 0xff00) })
  t.deepEqual([...orThrow(readPng(deep, 'a.png')).pixels], [0x12, 0xff], '16 bits keep the upper 8')
  const clear = encode({ width: 2, height: 1, channels: 2, depth: 8, data: Uint8Array.of(0, 0, 0, 255) })
  t.deepEqual([...orThrow(readPng(clear, 'a.png')).pixels], [255, 0], 'what is transparent shows white')
  const bits = encode({ width: 3, height: 2, channels: 1, depth: 1, data: Uint8Array.of(0b10100000, 0b01000000) })
  t.deepEqual([...orThrow(readPng(bits, 'a.png')).pixels], [255, 0, 255, 0, 255, 0], 'one bit a pixel, rows from bytes')
  t.end()
})

test('IDX: written and read again it is the same array; lengths that lie are refused', t => {
  const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 })
  holds(
    t,
    'readIdx(idx(shape, values)) = both',
    fc.property(shapes, shape => {
      const values = Uint8Array.from({ length: shape.reduce((n, length) => n * length, 1) }, (_, i) => i * 7)
      const read = orThrow(readIdx(idx(shape, values), 'x'))
      return read.shape.join() === shape.join() && read.values.join() === values.join()
    }),
  )
  holds(
    t,
    'one byte more or less is an InputError that names the file',
    fc.property(shapes, fc.constantFrom(-1, 1), (shape, change) => {
      const size = shape.reduce((n, length) => n * length, 1)
      const result = readIdx(idx(shape, new Uint8Array(size + change)), 'digits')
      return isLeft(result) && result.left instanceof InputError && result.left.message.startsWith('digits: ')
    }),
  )
  t.end()
})

test('CIFAR-10: planes and labels; a wrong label or length is refused', t => {
  const record = new Uint8Array(3073).map((_, i) => (i === 0 ? 3 : i % 251))
  const read = orThrow(readCifar10(record, 'x'))
  t.deepEqual([read.count, read.channels, read.height, read.width, read.labels?.[0]], [1, 3, 32, 32, 3])
  t.equal(read.pixels[1024], 1025 % 251, 'green follows red')
  t.ok(
    isLeft(
      readCifar10(
        record.map((value, i) => (i === 0 ? 10 : value)),
        'x',
      ),
    ),
    'label 10',
  )
  t.ok(isLeft(readCifar10(record.subarray(1), 'x')), '3072 bytes')
  t.end()
})

test('a PNG file of which a byte changed on the way is damaged, wherever it is', t => {
  const pixels = Uint8Array.from({ length: 36 }, (_, i) => 7 * i)
  const file = writePng({ count: 1, channels: 3, height: 3, width: 4, pixels })
  t.ok(isRight(readPng(file, 'x')))
  const unnoticed = Array.from(file, (byte, at) => {
    const changed = file.slice()
    changed[at] = byte ^ 1
    return isRight(readPng(changed, 'x')) ? [at] : []
  }).flat()
  t.deepEqual(unnoticed, [])
  t.end()
})

test('any bytes give a value or an InputError', t => {
  const beginnings = [
    writePng({ count: 1, channels: 3, height: 3, width: 4, pixels: new Uint8Array(36) }),
    idx([2, 3], new Uint8Array(6)),
    new Uint8Array(3073),
  ]
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // A whole file with some of its bytes changed or cut off.
    fc
      .tuple(fc.constantFrom(...beginnings), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), fc.nat(4))
      .map(([file, changes, cut]) => {
        const damaged = file.slice(0, file.length - cut)
        for (const [at, value] of changes) damaged[at % Math.max(1, damaged.length)] = value
        return damaged
      }),
  )
  const readers: Readonly<Record<string, (file: Uint8Array, where: string) => Either<InputError, unknown>>> = {
    readPng,
    readIdx,
    readCifar10,
  }
  for (const [name, read] of Object.entries(readers))
    holds(
      t,
      name,
      fc.property(bytes, file => {
        const result = read(file, 'file')
        return isRight(result) || (result.left instanceof InputError && result.left.message.startsWith('file: '))
      }),
      { numRuns: 500 },
    )
  t.end()
})

test('bytes and numbers on [-1, 1] convert both ways', t => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i)
  t.deepEqual([...toBytes(toSigned(all))], [...all])
  t.deepEqual([...toBytes([-7, 7, Number.NaN])], [0, 255, 0], 'what lies outside is cut off')
  t.end()
})

test('a grid holds each picture at its place', t => {
  holds(
    t,
    'cut out of the grid it is the picture',
    fc.property(pictures(6), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), (all, columns, zoom) => {
      const grid = pictureGrid(all, { columns, gap: 1, zoom })
      for (let i = 0; i < all.count; i++)
        for (let channel = 0; channel < all.channels; channel++)
          for (let y = 0; y < all.height; y++)
            for (let x = 0; x < all.width; x++) {
              const row = 1 + Math.floor(i / columns) * (all.height * zoom + 1) + y * zoom
              const column = 1 + (i % columns) * (all.width * zoom + 1) + x * zoom
              const shown = grid.pixels[(channel * grid.height + row) * grid.width + column]
              const size = all.height * all.width
              if (shown !== all.pixels[(i * all.channels + channel) * size + y * all.width + x]) return false
            }
      return true
    }),
  )
  breaks(
    t,
    'a grid turned on its side',
    fc.property(pictures(6), all => {
      const grid = pictureGrid(all, { columns: all.count, gap: 0 })
      return grid.height === all.height * all.count
    }),
  )
  t.throws(() => joinPictures([], 'here'), InputError, 'no pictures')
  const one = { count: 1, channels: 1, height: 1, width: 1, pixels: Uint8Array.of(0) }
  t.throws(() => pictureGrid(one, { zoom: 1e6 }), InputError, 'more than memory holds')
  t.throws(() => pictureGrid({ ...one, count: 0, pixels: new Uint8Array(0) }), InputError, 'a grid of no pictures')
  for (const options of [{ columns: 0 }, { columns: 1.5 }, { zoom: 0 }, { zoom: Number.NaN }, { gap: -1 }])
    t.throws(() => pictureGrid(one, options), InputError, `a grid of ${JSON.stringify(options)}`)
  t.end()
})

test('an animation has its frames, its times and nearly its greys', async t => {
  const frames: Pictures = {
    count: 3,
    channels: 1,
    height: 4,
    width: 4,
    pixels: Uint8Array.from({ length: 48 }, (_, i) => i * 5),
  }
  const bytes = await writeGif(frames, { delay: 80, lastDelay: 1000 })
  const read = await decodeFrames(Uint8Array.from(bytes))
  t.deepEqual(
    read.map(({ delay }) => delay),
    [80, 80, 1000],
  )
  read.forEach(({ data }, frame) => {
    const worst = Array.from({ length: 16 }, (_, i) =>
      Math.abs((data[4 * i] ?? 0) - (frames.pixels[frame * 16 + i] ?? 0)),
    )
    t.ok(Math.max(...worst) <= 8, `frame ${frame}: off by at most ${Math.max(...worst)}`)
  })
  t.end()
})

test('half blocks: two rows of pixels a line', t => {
  const text = halfBlocks({ count: 1, channels: 1, height: 3, width: 2, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6) })
  const lines = text.split('\n')
  t.equal(lines.length, 3, 'two lines, each ended')
  t.equal(lines[0], '\u001b[38;2;1;1;1m\u001b[48;2;3;3;3m▀\u001b[38;2;2;2;2m\u001b[48;2;4;4;4m▀\u001b[0m')
  t.ok(lines[1]?.includes('\u001b[49m'), 'below the last row is the terminal')
  const plain = halfBlocks({ count: 1, channels: 1, height: 2, width: 3, pixels: new Uint8Array(6) })
  t.equal(plain, '\u001b[38;2;0;0;0m\u001b[48;2;0;0;0m▀▀▀\u001b[0m\n', 'a colour is set where it changes')
  t.end()
})

test('fitting: the middle, at the wanted proportions; each pixel the mean of what it covers', t => {
  holds(
    t,
    'undoes a zoom',
    fc.property(pictures(), fc.integer({ min: 1, max: 4 }), (small, zoom) => {
      const one = pictureAt(small, 0)
      const fitted = fitPictures(pictureGrid(one, { columns: 1, gap: 0, zoom }), small)
      return fitted.pixels.every((value, i) => value === one.pixels[i])
    }),
  )
  const grey = (height: number, width: number, pixels: readonly number[]): Pictures => ({
    count: 1,
    channels: 1,
    height,
    width,
    pixels: Uint8Array.from(pixels),
  })
  const fit = (picture: Pictures, height: number, width: number) => [...fitPictures(picture, { height, width }).pixels]
  t.deepEqual(fit(grey(1, 3, [10, 20, 90]), 1, 1), [20], 'cut to the middle')
  t.deepEqual(fit(grey(1, 4, [10, 20, 90, 5]), 1, 1), [55], 'a middle between two pixels')
  t.deepEqual(fit(grey(3, 3, [0, 0, 0, 9, 9, 9, 90, 90, 90]), 2, 2), [3, 3, 63, 63], 'parts of pixels count in part')
  t.deepEqual(fit(grey(1, 1, [7]), 2, 2), [7, 7, 7, 7], 'enlarged: blocks')
  t.end()
})
