/** config.json of any model that fluxion opens: its `model_type` says which codec reads it. */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import type { InputError } from '../errors.ts'
import { decode, type Where } from './decode.ts'
import { oneOf } from './fields.ts'
import { Gpt2Config } from './gpt2.ts'
import { LlamaConfig } from './llama.ts'

const Kind = t.type({ model_type: oneOf('gpt2', 'llama') }, 'a model configuration')

export type ModelConfig = Gpt2Config | LlamaConfig

/** Decodes a config.json value; an InputError names the field, what was expected and what was found. */
export const decodeModelConfig = (value: unknown, where: Where): E.Either<InputError, ModelConfig> =>
  pipe(
    decode(Kind, value, where),
    E.chain(
      ({ model_type }): E.Either<InputError, ModelConfig> =>
        model_type === 'gpt2' ? decode(Gpt2Config, value, where) : decode(LlamaConfig, value, where),
    ),
  )

/** The JSON value of a configuration. */
export const encodeModelConfig = (config: ModelConfig): unknown =>
  config.model_type === 'gpt2' ? Gpt2Config.encode(config) : LlamaConfig.encode(config)
