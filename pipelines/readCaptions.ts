import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { decode, orThrow } from '../src/codec/decode.ts'
import { dictionary, nonEmptyText, oneOrMore } from '../src/codec/fields.ts'
import { parseJson } from '../src/codec/json.ts'
import { InputError } from '../src/errors.ts'
import { readBytes } from './files.ts'

const Captions = dictionary('an object of texts by class', oneOrMore(nonEmptyText))

/** Texts that say each of these classes, from a JSON file: { "7": ["a seven", "seven"], … }. */
export const readCaptions = (path: string, classes: readonly string[]): readonly (readonly string[])[] => {
  const found = orThrow(
    pipe(
      parseJson(readBytes(path), path),
      E.chain(value => decode(Captions, value, path)),
    ),
  )
  const foreign = [...found.keys()].find(name => !classes.includes(name))
  if (foreign !== undefined)
    throw new InputError(`${path}: expected classes among ${classes.join(', ')}; found ${JSON.stringify(foreign)}`)
  return classes.map(name => {
    const texts = found.get(name) ?? []
    if (texts.length === 0) throw new InputError(`${path}.${name}: expected at least one text, found none`)
    return texts
  })
}
