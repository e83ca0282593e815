/** A Llama of 134 M random weights (12 layers of 768, 32,000 tokens), as the rows and llama.cpp share it. */
import { llama } from '../pipelines/llama.ts'
import { uploadWeights } from '../pipelines/parameters.ts'
import { quantize } from '../pipelines/quantize.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { LlamaConfig } from '../src/codec/llama.ts'
import { Q8_0 } from '../src/codec/quantization.ts'
import { wasmEngine } from '../src/engine/wasm/engine.ts'
import { bytesOf, f32, type HostTensor, type HostTensors, sizeOf } from '../src/format/hostTensor.ts'
import { llamaShapes } from '../src/format/llamaNames.ts'
import { withoutBlocks } from '../src/format/quantized/modelMatrices.ts'
import { fold, key } from '../src/random/key.ts'
import { normal } from '../src/random/normal.ts'
import { type GptDecoder, textDecoder } from './ours.ts'

export const config = decodeOrThrow(
  LlamaConfig,
  {
    vocab_size: 32000,
    hidden_size: 768,
    intermediate_size: 2048,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
  },
  'bench',
)

/** N(0, deviation), norms 1; matrices in blocks of 8 bits (Q8_0). */
export const q8Weights = (deviation = 0.02): HostTensors => {
  const tensors = new Map<string, HostTensor>()
  for (const [name, shape] of llamaShapes(config)) {
    const values = new Float32Array(sizeOf(shape)).fill(1)
    if (shape.length > 1) {
      const drawn = normal(fold(key(0), name), values.length)
      for (let i = 0; i < values.length; i++) values[i] = (drawn[i] ?? 0) * deviation
    }
    tensors.set(name, f32(shape, values))
  }
  return quantize({ config, tensors }, 'q8_0', 'bench').tensors
}

/** The same weights as f32, for products that round no activations. */
export const widened = (weights: HostTensors): HostTensors =>
  withoutBlocks({ ...config, quantization_config: Q8_0 }, weights)

/** Bytes of weights that a step reads: all but the table of embeddings. */
export const bytesPerToken = (weights: HostTensors): number =>
  [...weights].reduce(
    (bytes, [name, tensor]) => (name.startsWith('model.embed_tokens') ? bytes : bytes + bytesOf(tensor).length),
    0,
  )

export const llamaDecoder = (weights: HostTensors, threads: number): GptDecoder => {
  const engine = wasmEngine({ threads })
  const decoder = textDecoder(llama(config), uploadWeights(config, weights, engine))
  const close = () => {
    decoder.close()
    engine.close()
  }
  return { ...decoder, close }
}
