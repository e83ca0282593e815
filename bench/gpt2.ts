/** GPT-2's 124M shape with random weights, as the rows and their peers share it; its big files last as long as one row. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { HostTensor } from '../src/format/hostTensor.ts'
import { writeGguf } from './gguf.ts'
import { configOf } from './ours.ts'
import type { Peer } from './peer.ts'
import { orReason, type Tools } from './row.ts'
import { gpt2, gptWeights, writeWeights } from './weights.ts'

/** Spread wide enough that greedy text wanders, so that equal ids mean something. */
export const gpt2Weights = (): Map<string, HostTensor> => gptWeights(gpt2, 0.05)

/** Bytes of parameters that one decoding step reads: all but the table of positions. */
export const gpt2BytesPerToken = (weights: ReadonlyMap<string, HostTensor>): number =>
  [...weights].reduce((bytes, [name, { data }]) => (name === 'wpe.weight' ? bytes : bytes + data.byteLength), 0)

/** A peer that decodes, or why it is absent. `load` takes a number of threads. */
export interface Runtime {
  readonly peer: Peer | string
  load(threads: number): Promise<void>
  /** Removes the model's file. */
  remove(): void
}

/** llama.cpp. */
export const gpt2Llama = async (tools: Tools, weights: ReadonlyMap<string, HostTensor>): Promise<Runtime> => {
  const file = join(tools.cache, 'gpt2.gguf')
  const peer = await orReason(tools.node('llama.mjs'))
  if (typeof peer !== 'string') writeGguf(file, configOf(gpt2), weights)
  return {
    peer,
    load: async threads => {
      if (typeof peer !== 'string') await peer.ask({ do: 'load', file, threads, size: gpt2.block })
    },
    remove: () => rmSync(file, { force: true }),
  }
}

/** onnxruntime-node with the model exported by PyTorch. `request` asks pytorch.py for the export: `export` a cached step, `exportPrefill` a prompt. */
export const gpt2Runtime = async (
  tools: Tools,
  weights: ReadonlyMap<string, HostTensor>,
  request: Readonly<Record<string, unknown>>,
): Promise<Runtime> => {
  const { layers, heads, width } = gpt2
  const [file, onnx] = ['safetensors', 'onnx'].map(ending => join(tools.cache, `gpt2.${ending}`))
  if (file === undefined || onnx === undefined) throw new Error('two files')
  const remove = () => {
    for (const path of [file, onnx]) rmSync(path, { force: true })
  }
  const exported = async (): Promise<Peer> => {
    const torch = await tools.python('pytorch.py')
    writeWeights(file, weights)
    tools.say('bench: exporting GPT-2 124M to ONNX')
    await torch.ask({ do: 'load', weights: file, heads, threads: 1 })
    await torch.ask({ ...request, out: onnx })
    torch.stop()
    rmSync(file, { force: true })
    return tools.node('onnxruntime.mjs')
  }
  const peer = await orReason(exported())
  return {
    peer,
    load: async threads => {
      if (typeof peer !== 'string')
        await peer.ask({ do: 'load', file: onnx, layers, heads, headWidth: width / heads, threads })
    },
    remove,
  }
}
