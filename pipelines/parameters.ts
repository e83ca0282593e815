import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { NumericError } from '../src/errors.ts'
import { f32, floats, type HostTensor, type HostTensors } from '../src/format/hostTensor.ts'
import { read, tensor } from '../src/tensor/tensor.ts'

/** Host tensors on an engine, under the same names. */
export const upload = (tensors: HostTensors, engine: Engine): Named =>
  Object.fromEntries([...tensors].map(([name, host]) => [name, tensor(engine, host.shape, floats(host))]))

/** Tensors as f32 on the host: exact from f32 engines, rounded from `reference`. Anything but finite numbers is a `NumericError`. */
export const download = async (tensors: Named): Promise<HostTensors> => {
  const host = new Map<string, HostTensor>()
  for (const [name, x] of Object.entries(tensors)) {
    const data = Float32Array.from(await read(x))
    if (!data.every(Number.isFinite)) throw new NumericError(`${name}: expected finite numbers, found NaN or infinity`)
    host.set(name, f32(x.shape, data))
  }
  return host
}
