/** JSON text or bytes from outside as an unknown value, to be decoded by a codec. */
import * as E from 'fp-ts/lib/Either.js'
import { InputError } from '../errors.ts'

const message = (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : String(error))

/** UTF-8 bytes as text; invalid UTF-8 is an InputError. A leading byte-order mark is dropped. */
export const utf8 = (bytes: Uint8Array, where: string): E.Either<InputError, string> =>
  E.tryCatch(
    () => new TextDecoder('utf-8', { fatal: true }).decode(bytes),
    () => new InputError(`${where}: expected UTF-8 text, found bytes that are not`),
  )

/** Parses JSON; the error says where and repeats the parser's reason. */
export const parseJson = (source: string | Uint8Array, where: string): E.Either<InputError, unknown> =>
  E.chain((text: string) =>
    E.tryCatch(
      (): unknown => JSON.parse(text),
      error => new InputError(`${where}: expected JSON: ${message(error)}`),
    ),
  )(typeof source === 'string' ? E.right(source) : utf8(source, where))
