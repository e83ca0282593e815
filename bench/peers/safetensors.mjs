import { readFileSync } from 'node:fs'

/** F32 tensors of a file by name: shape and values. */
export const readSafetensors = path => {
  const file = readFileSync(path)
  const length = Number(file.readBigUInt64LE())
  const { __metadata__: _, ...header } = JSON.parse(file.subarray(8, 8 + length).toString())
  return new Map(
    Object.entries(header).map(([name, { shape, data_offsets: offsets }]) => {
      const [start, end] = offsets.map(offset => 8 + length + offset)
      return [name, { shape, values: new Float32Array(Uint8Array.from(file.subarray(start, end)).buffer) }]
    }),
  )
}
