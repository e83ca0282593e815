/** Pictures from the disk: MNIST's IDX files, CIFAR-10's binary files, PNG files and folders of them. Each may be compressed by gzip. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { orThrow } from '../src/codec/decode.ts'
import { utf8 } from '../src/codec/json.ts'
import { InputError } from '../src/errors.ts'
import { cifar10Classes, readCifar10 } from '../src/format/cifar10.ts'
import { fitPictures } from '../src/format/fitPictures.ts'
import { isIdx, readIdx } from '../src/format/idx.ts'
import { describeSize, joinPictures, type PictureSet, type Pictures } from '../src/format/pictures.ts'
import { readPng } from '../src/format/png.ts'
import { onPath, readBytes } from './files.ts'

const GZIP = [0x1f, 0x8b]
const PNG = /\.png$/i
/** Training files; CIFAR-10's others are named after what they test. */
const CIFAR = /^(?!test).*\.bin(\.gz)?$/
const IDX = /^train.*idx3-ubyte(\.gz)?$/
const MOST_BYTES = 2 ** 31 - 1

/** A file's bytes, unpacked. */
const unpacked = (path: string): Uint8Array => {
  const bytes = readBytes(path)
  if (!GZIP.every((byte, i) => bytes[i] === byte)) return bytes
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES })
  } catch (error) {
    throw new InputError(`${path}: damaged gzip: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The digits of MNIST's kind of names: images-idx3-ubyte, or images.idx3-ubyte, has its labels in labels-idx1-ubyte beside it. */
const readMnist = (path: string): PictureSet => {
  const { shape, values } = orThrow(readIdx(unpacked(path), path))
  const [count = 0, height = 0, width = 0] = shape
  if (shape.length !== 3) throw new InputError(`${path}: expected pictures, 3 axes; found shape [${shape}]`)
  const pictures = { count, channels: 1, height, width, pixels: values }
  const labelPath = labelsBeside(path)
  if (labelPath === null) return { ...pictures, labels: null, classes: [] }
  const labels = orThrow(readIdx(unpacked(labelPath), labelPath))
  if (labels.shape.join() !== String(count))
    throw new InputError(`${labelPath}: expected ${count} labels, found shape [${labels.shape}]`)
  const classes = labels.values.reduce((most, label) => Math.max(most, label), 0) + 1
  return {
    ...pictures,
    labels: Int32Array.from(labels.values),
    classes: Array.from({ length: classes }, (_, i) => `${i}`),
  }
}

const labelsBeside = (path: string): string | null => {
  const name = basename(path).replace(/\.gz$/, '')
  const labels = name.replace(/images([-.])idx3/, 'labels$1idx1')
  if (labels === name) return null
  return [labels, `${labels}.gz`].map(other => join(dirname(path), other)).find(other => existsSync(other)) ?? null
}

/** The largest square about the middle of each picture, at this side; all of it as it is where null. */
const squared = <P extends Pictures>(pictures: P, side: number | null): P =>
  side === null ? pictures : { ...pictures, ...fitPictures(pictures, { height: side, width: side }) }

/** PNG files of one folder, by name; those of each of its folders are a class. A folder without any, or a hidden one, is none. */
const readPngFolder = (path: string, side: number | null): PictureSet => {
  const inside = entriesOf(path).filter(name => !name.startsWith('.') && isFolder(join(path, name)))
  const classes = inside.filter(name => pngsOf(join(path, name)).length > 0)
  const files = classes.length === 0 ? [pngsOf(path)] : classes.map(name => pngsOf(join(path, name)))
  const labels: number[] = []
  const parts: Pictures[] = []
  files.forEach((list, label) => {
    for (const file of list) {
      const picture = squared(orThrow(readPng(readBytes(file), file)), side)
      const [first = picture] = parts
      if (describeSize(picture) !== describeSize(first))
        throw new InputError(
          `${file}: expected ${describeSize(first)}, as the pictures before, found ${describeSize(picture)}${picture.channels === first.channels ? '; see --size' : ''}`,
        )
      parts.push(picture)
      labels.push(label)
    }
  })
  if (parts.length === 0)
    throw new InputError(`${path}: expected MNIST or CIFAR-10 files, or PNG pictures; found none of them`)
  const labelled = classes.length > 0
  return { ...joinPictures(parts, path), labels: labelled ? Int32Array.from(labels) : null, classes }
}

const isFolder = (path: string): boolean => onPath(path, () => statSync(path)).isDirectory()

const pngsOf = (folder: string): string[] =>
  entriesOf(folder)
    .filter(name => PNG.test(name))
    .map(name => join(folder, name))

const entriesOf = (folder: string): string[] => onPath(folder, () => readdirSync(folder)).sort()

const joinSets = (sets: readonly PictureSet[], path: string): PictureSet => {
  const labels = sets.map(set => set.labels)
  const known = labels.filter(list => list !== null)
  return {
    ...joinPictures(sets, path),
    labels: known.length === labels.length ? Int32Array.from(known.flatMap(list => [...list])) : null,
    classes: sets[0]?.classes ?? [],
  }
}

/** CIFAR-10's names, where they lie beside. */
const cifarClasses = (folder: string): readonly string[] => {
  const path = join(folder, 'batches.meta.txt')
  if (!existsSync(path)) return cifar10Classes
  const names = orThrow(utf8(readBytes(path), path))
    .split(/\s+/)
    .filter(name => name !== '')
  return names.length === cifar10Classes.length ? names : cifar10Classes
}

const readCifarFiles = (paths: readonly string[], folder: string): PictureSet => ({
  ...joinSets(
    paths.map(path => orThrow(readCifar10(unpacked(path), path))),
    folder,
  ),
  classes: cifarClasses(folder),
})

const readAny = (path: string, side: number | null): PictureSet => {
  if (isFolder(path)) {
    const names = entriesOf(path)
    const idx = names.find(name => IDX.test(name))
    if (idx !== undefined) return readMnist(join(path, idx))
    const batches = names.filter(name => CIFAR.test(name))
    if (batches.length > 0)
      return readCifarFiles(
        batches.map(name => join(path, name)),
        path,
      )
    return readPngFolder(path, side)
  }
  if (PNG.test(path)) return { ...orThrow(readPng(readBytes(path), path)), labels: null, classes: [] }
  const bytes = unpacked(path)
  return isIdx(bytes) ? readMnist(path) : readCifarFiles([path], dirname(path))
}

/**
 * All pictures of a path. A folder: MNIST's training files, CIFAR-10's, or PNG files (those in folders are of the class that the folder is named after). A
 * file: an IDX file, with its labels beside; a CIFAR-10 file; one PNG. With a side, the largest square about the middle of each, shrunk or enlarged to it. Anything
 * else is an InputError that says where.
 */
export const readPictures = (path: string, side: number | null = null): PictureSet => squared(readAny(path, side), side)

/** One picture of a PNG file. */
export const readPicture = (path: string): Pictures => orThrow(readPng(readBytes(path), path))
