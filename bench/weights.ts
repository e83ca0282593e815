/** Random GPT weights in GPT-2's names and layout, the same for us and for every peer. */
import { writeFileSync } from 'node:fs'
import { f32, type HostTensor } from '../src/format/hostTensor.ts'
import { writeSafetensors } from '../src/format/safetensors.ts'
import { fold, type Key, key } from '../src/random/key.ts'
import { normal } from '../src/random/normal.ts'
import { sizeOf } from '../src/tensor/tensor.ts'

export interface GptShape {
  readonly vocabulary: number
  readonly block: number
  readonly layers: number
  readonly heads: number
  readonly width: number
  /** Biases in linear layers and norms: none unless said (nanoGPT). */
  readonly bias?: boolean
}

/** nanoGPT's `shakespeare_char` on a CPU. */
export const nanogptCpu: GptShape = { vocabulary: 65, block: 64, layers: 4, heads: 4, width: 128 }

/** The same model with room for 256 positions. */
export const baby: GptShape = { ...nanogptCpu, block: 256 }

/** nanoGPT's `shakespeare_char`, 10.7 M parameters. */
export const sixBy384: GptShape = { vocabulary: 65, block: 256, layers: 6, heads: 6, width: 384 }

/** GPT-2, 124 M parameters. */
export const gpt2: GptShape = { vocabulary: 50257, block: 1024, layers: 12, heads: 12, width: 768, bias: true }

/** N(0, deviation), projections into the residual stream deviation / sqrt(2 layers), norms 1 + biases N(0, deviation). 0.02 is nanoGPT's beginning. */
export const gptWeights = (shape: GptShape, deviation = 0.02, seed = 0): Map<string, HostTensor> => {
  const { vocabulary, block, layers, width, bias = false } = shape
  const weights = new Map<string, HostTensor>()
  const root: Key = key(seed)
  const random = (name: string, shape: readonly number[], spread: number) => {
    const values = normal(fold(root, name), sizeOf(shape))
    for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * spread
    weights.set(name, f32(shape, Float32Array.from(values)))
  }
  const matrix = (name: string, rows: number, columns: number, spread = deviation) =>
    random(name, [rows, columns], spread)
  const linear = (name: string, rows: number, columns: number, spread = deviation) => {
    matrix(`${name}.weight`, rows, columns, spread)
    if (bias) random(`${name}.bias`, [columns], deviation)
  }
  const norm = (name: string) => {
    weights.set(`${name}.weight`, f32([width], new Float32Array(width).fill(1)))
    if (bias) random(`${name}.bias`, [width], deviation)
  }
  const small = deviation / Math.sqrt(2 * layers)
  matrix('wte.weight', vocabulary, width)
  matrix('wpe.weight', block, width)
  for (let i = 0; i < layers; i++) {
    norm(`h.${i}.ln_1`)
    linear(`h.${i}.attn.c_attn`, width, 3 * width)
    linear(`h.${i}.attn.c_proj`, width, width, small)
    norm(`h.${i}.ln_2`)
    linear(`h.${i}.mlp.c_fc`, width, 4 * width)
    linear(`h.${i}.mlp.c_proj`, 4 * width, width, small)
  }
  norm('ln_f')
  return weights
}

/** Writes them where a peer can read them. */
export const writeWeights = (path: string, weights: ReadonlyMap<string, HostTensor>): void =>
  writeFileSync(path, writeSafetensors(weights))
