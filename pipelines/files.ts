/**
 * Files that survive a crash: content is flushed before a name points at it, and names change by rename, which is atomic. A
 * folder's own entries are flushed too, else a power cut may forget the rename.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError } from '../src/errors.ts'

/** One call reads or writes at most 2 GiB. */
const CHUNK = 2 ** 30

/** Contents of a file, in pieces that are written one after the other. */
export type Pieces = readonly Uint8Array[]

const hasCode = (error: unknown): error is Error & { readonly code: string } =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EISDIR: 'expected a file, found a folder',
  ENOTDIR: 'expected a folder, found a file',
  ENOSPC: 'no space left on the disk',
}

/** Runs a file operation; the system's error becomes an InputError that begins with the path. */
export const onPath = <A>(path: string, operate: () => A): A => {
  try {
    return operate()
  } catch (error) {
    if (hasCode(error)) throw new InputError(`${path}: ${REASONS[error.code] ?? error.message}`)
    throw error
  }
}

/** A whole file, of any size that memory holds. */
export const readBytes = (path: string): Uint8Array =>
  onPath(path, () => {
    const file = openSync(path, 'r')
    try {
      const bytes = new Uint8Array(fstatSync(file).size)
      let offset = 0
      while (offset < bytes.length) {
        const read = readSync(file, bytes, offset, Math.min(CHUNK, bytes.length - offset), offset)
        if (read === 0)
          throw new InputError(`${path}: expected ${bytes.length} bytes, found ${offset} (it shrank while read)`)
        offset += read
      }
      return bytes
    } finally {
      closeSync(file)
    }
  })

/** Text as the one piece of a file. */
export const textPieces = (text: string): Pieces => [new TextEncoder().encode(text)]

/** A JSON value as the one piece of a file, indented. */
export const jsonPieces = (value: unknown): Pieces => textPieces(`${JSON.stringify(value, null, 2)}\n`)

/** Writes a new file and flushes it to the disk. */
export const writeDurably = (path: string, pieces: Pieces): void =>
  onPath(path, () => {
    const file = openSync(path, 'w')
    try {
      for (const piece of pieces) {
        let offset = 0
        while (offset < piece.length) offset += writeSync(file, piece, offset, Math.min(CHUNK, piece.length - offset))
      }
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  })

/** Flushes a folder's entries. Windows cannot open folders and orders renames itself. */
export const syncFolder = (path: string): void => {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Makes a folder, with those above it, where there is none. One level at a time: Node's own `recursive` never returns where a system refuses to. */
export const ensureFolder = (path: string): void => {
  if (existsSync(path)) {
    if (!onPath(path, () => statSync(path)).isDirectory())
      throw new InputError(`${path}: expected a folder, found a file`)
    return
  }
  ensureFolder(dirname(path))
  onPath(path, () => mkdirSync(path))
}

/** Replaces one file as a whole: at every moment its path holds the old or the new contents. */
export const replaceFile = (path: string, pieces: Pieces): void => {
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  writeDurably(partial, pieces)
  onPath(path, () => renameSync(partial, path))
  syncFolder(dirname(path))
}

/** Creates a folder as a whole: at every moment its path is absent or holds all files. The path must not exist. */
export const createFolder = (path: string, files: ReadonlyMap<string, Pieces>): void => {
  const parent = dirname(path)
  const partial = join(parent, `.${basename(path)}.partial`)
  if (existsSync(path)) throw new InputError(`${path}: expected no such folder yet, found one`)
  onPath(path, () => rmSync(partial, { recursive: true, force: true }))
  ensureFolder(partial)
  for (const [name, pieces] of files) writeDurably(join(partial, name), pieces)
  syncFolder(partial)
  onPath(path, () => renameSync(partial, path))
  syncFolder(parent)
}
