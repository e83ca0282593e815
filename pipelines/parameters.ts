import type { ModelConfig } from '../src/codec/model.ts'
import type { Named, Weights } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { InputError, NumericError } from '../src/errors.ts'
import { f32, floats, type HostTensor, type HostTensors } from '../src/format/hostTensor.ts'
import { matricesOf, matrixIn, scalesName } from '../src/format/quantized/modelMatrices.ts'
import { quantizedMatrix } from '../src/tensor/quantizedMatrix.ts'
import { scope } from '../src/tensor/scope.ts'
import { read, type Tensor, tensor } from '../src/tensor/tensor.ts'

const uploadOne = (name: string, host: HostTensor, engine: Engine): Tensor => {
  if (host.dtype === 'I8')
    throw new InputError(
      `${name}: expected weights that can be trained, found I8; \`fluxion convert precision <folder> --to F32\` widens them`,
    )
  return tensor(engine, host.shape, floats(host))
}

/** Host tensors on an engine as its own numbers, under the same names: for training. Quantized ones are an InputError. All or, where the engine has no room, none. */
export const upload = (tensors: HostTensors, engine: Engine): Named =>
  scope(() => Object.fromEntries([...tensors].map(([name, host]) => [name, uploadOne(name, host, engine)])))

/**
 * A checkpoint on an engine in the types that it is stored in: F16 and q8_0 matrices keep their bits where the engine has kernels for them. All or,
 * where the engine has no room, none.
 */
export const uploadWeights = (config: ModelConfig, tensors: HostTensors, engine: Engine): Weights => {
  const matrices = matricesOf(config)
  const scales = new Set(Array.from(matrices.keys(), scalesName))
  return scope(() =>
    Object.fromEntries(
      [...tensors].flatMap(([name, host]) => {
        if (scales.has(name)) return []
        const at = matrices.get(name)
        const matrix = at === undefined ? null : matrixIn(tensors, name, at)
        return [[name, matrix === null ? uploadOne(name, host, engine) : quantizedMatrix(engine, matrix)]]
      }),
    ),
  )
}

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
