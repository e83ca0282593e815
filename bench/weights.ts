/** Random GPT weights in GPT-2's names and layout, without biases (nanoGPT), the same for us and for every peer. */
import { writeFileSync } from 'node:fs'
import { f32, type HostTensor } from '../src/format/hostTensor.ts'
import { writeSafetensors } from '../src/format/safetensors.ts'
import { fold, type Key, key } from '../src/random/key.ts'
import { normal } from '../src/random/normal.ts'

export interface GptShape {
  readonly vocabulary: number
  readonly block: number
  readonly layers: number
  readonly heads: number
  readonly width: number
}

/** nanoGPT's `shakespeare_char` on a CPU. */
export const nanogptCpu: GptShape = { vocabulary: 65, block: 64, layers: 4, heads: 4, width: 128 }

/** The same model with room for 256 positions. */
export const baby: GptShape = { ...nanogptCpu, block: 256 }

/** N(0, deviation), projections into the residual stream deviation / sqrt(2 layers), norms 1. 0.02 is nanoGPT's beginning. */
export const gptWeights = (shape: GptShape, deviation = 0.02, seed = 0): Map<string, HostTensor> => {
  const { vocabulary, block, layers, width } = shape
  const weights = new Map<string, HostTensor>()
  const root: Key = key(seed)
  const matrix = (name: string, rows: number, columns: number, spread = deviation) => {
    const values = Float32Array.from(normal(fold(root, name), rows * columns), z => z * spread)
    weights.set(name, f32([rows, columns], values))
  }
  const norm = (name: string) => weights.set(name, f32([width], new Float32Array(width).fill(1)))
  const small = deviation / Math.sqrt(2 * layers)
  matrix('wte.weight', vocabulary, width)
  matrix('wpe.weight', block, width)
  for (let i = 0; i < layers; i++) {
    norm(`h.${i}.ln_1.weight`)
    matrix(`h.${i}.attn.c_attn.weight`, width, 3 * width)
    matrix(`h.${i}.attn.c_proj.weight`, width, width, small)
    norm(`h.${i}.ln_2.weight`)
    matrix(`h.${i}.mlp.c_fc.weight`, width, 4 * width)
    matrix(`h.${i}.mlp.c_proj.weight`, 4 * width, width, small)
  }
  norm('ln_f.weight')
  return weights
}

/** Writes them where a peer can read them. */
export const writeWeights = (path: string, weights: ReadonlyMap<string, HostTensor>): void =>
  writeFileSync(path, writeSafetensors(weights))
