/**
 * Checkpoints of several safetensors files, and the index that says which tensor is in which:
 *
 *   model.safetensors.index.json   { "metadata": { "total_size": bytes }, "weight_map": { "name": "model-00001-of-00002.safetensors" } }
 *
 * Source: Hugging Face Transformers, `save_pretrained(max_shard_size=…)`.
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import { decode } from '../codec/decode.ts'
import { dictionary, where as guarded } from '../codec/fields.ts'
import { parseJson } from '../codec/json.ts'
import { InputError } from '../errors.ts'
import type { HostTensor, HostTensors } from './hostTensor.ts'
import { hostTensors, type Safetensors } from './safetensors.ts'

// A plain file name: an index from outside must not reach out of its folder.
const ShardName = guarded(
  'a file name ending in .safetensors without folders',
  (value): value is string => typeof value === 'string' && /^[^/\\:\0]+\.safetensors$/.test(value),
)
const Index = t.type({ weight_map: dictionary('an object from tensor names to files', ShardName) })

/** Which file holds each tensor. */
export type WeightMap = ReadonlyMap<string, string>

/** The index's weight map, or an InputError. */
export const readShardIndex = (source: string | Uint8Array, where: string): E.Either<InputError, WeightMap> =>
  pipe(
    parseJson(source, where),
    E.chain(value => decode(Index, value, where)),
    E.map(({ weight_map }) => weight_map),
  )

/** The tensors of all shards by the index; a tensor that its file lacks is an InputError. `files` are the read shards by name. */
export const joinShards = (
  weightMap: WeightMap,
  files: ReadonlyMap<string, Safetensors>,
  where: string,
): E.Either<InputError, HostTensors> => {
  const held = new Map(Array.from(files, ([name, file]) => [name, hostTensors(file)]))
  const joined = new Map<string, HostTensor>()
  for (const [name, file] of weightMap) {
    const tensor = held.get(file)?.get(name)
    if (tensor === undefined)
      return E.left(new InputError(`${where}: weight_map: ${name}: expected in ${file}, found no such tensor there`))
    joined.set(name, tensor)
  }
  return E.right(joined)
}

/** A sharded checkpoint: file names with their tensors, and the index as JSON text. */
export interface Shards {
  readonly files: ReadonlyMap<string, HostTensors>
  readonly index: string
}

/** Fills shards in the order of the tensors; each holds at most `maxBytes` of data, or a single larger tensor. */
export const shard = (tensors: HostTensors, maxBytes: number): Shards => {
  const groups: [string, HostTensor][][] = []
  let used = Infinity
  let total = 0
  for (const [name, tensor] of tensors) {
    const size = tensor.data.byteLength
    if (used + size > maxBytes) {
      groups.push([])
      used = 0
    }
    groups.at(-1)?.push([name, tensor])
    used += size
    total += size
  }
  const digits = (n: number) => String(n).padStart(5, '0')
  const files = new Map(
    groups.map((group, i) => [`model-${digits(i + 1)}-of-${digits(groups.length)}.safetensors`, new Map(group)]),
  )
  const weightMap = Object.fromEntries(
    Array.from(files, ([file, held]) => [...held.keys()].map(name => [name, file] as const)).flat(),
  )
  return { files, index: `${JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }, null, 2)}\n` }
}
