/** Kinds of models that fluxion writes and opens, told apart by the `model_type` of their config.json. */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import { InputError } from '../errors.ts'
import { decode, type Where } from './decode.ts'
import { oneOf } from './fields.ts'

const Typed = t.type({ model_type: oneOf('gpt2', 'llama', 'denoising-diffusion', 'vae') }, 'a model configuration')

const kinds = {
  gpt2: 'a language model',
  llama: 'a language model',
  'denoising-diffusion': 'a diffusion model',
  vae: 'an autoencoder',
} as const

export type ModelKind = (typeof kinds)[keyof typeof kinds]

/** The kind of a config.json value; an InputError where it is of none. */
export const kindOf = (value: unknown, where: Where): E.Either<InputError, ModelKind> =>
  pipe(
    decode(Typed, value, where),
    E.map(({ model_type }) => kinds[model_type]),
  )

/** The value itself, unless it is of another kind; what is of no kind is left to the codec that reads it. */
export const ofKind =
  (expected: ModelKind, where: string) =>
  (value: unknown): E.Either<InputError, unknown> => {
    const found = Typed.is(value) ? kinds[value.model_type] : expected
    return found === expected
      ? E.right(value)
      : E.left(new InputError(`${where}: expected ${expected}, found ${found}`))
  }
