import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { f32ToBf16, f32ToF16 } from '../src/format/half.ts'
import { f32, floats, type HostTensor } from '../src/format/hostTensor.ts'
import { onPath, readBytes } from './files.ts'
import { readFolder, writeFolder } from './folder.ts'
import { TOKENIZER } from './modelFiles.ts'

/** Element types that weights are stored in; computing is f32 in any case. */
export const precisions = ['F32', 'F16', 'BF16'] as const
export type Precision = (typeof precisions)[number]

/** A tensor's numbers in another precision, rounded to nearest even. */
export const inPrecision = (tensor: HostTensor, precision: Precision): HostTensor => {
  const { shape } = tensor
  const data = floats(tensor)
  switch (precision) {
    case 'F32':
      return f32(shape, data)
    case 'F16':
      return { dtype: 'F16', shape, data: f32ToF16(data) }
    case 'BF16':
      return { dtype: 'BF16', shape, data: f32ToBf16(data) }
  }
}

/** A model folder with its weights in another precision; returns the bytes of the weights. The tokenizer's files go along as they are. */
export const convertPrecision = (folder: string, precision: Precision, out: string): number => {
  const { config, generation, tensors } = readFolder(folder)
  const converted = new Map([...tensors].map(([name, tensor]) => [name, inPrecision(tensor, precision)]))
  const text = new TextDecoder('utf-8', { ignoreBOM: true })
  const copied = [TOKENIZER, 'tokenizer_config.json'].filter(name => existsSync(join(folder, name)))
  const files = new Map(
    copied.map(name => [name, onPath(join(folder, name), () => text.decode(readBytes(join(folder, name))))]),
  )
  writeFolder(out, { config, generation, tensors: converted, files })
  return [...converted.values()].reduce((bytes, { data }) => bytes + data.byteLength, 0)
}
