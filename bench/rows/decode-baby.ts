/**
 * One token of cached greedy decoding, 4 layers x 128, 256 positions: the mean over positions 32 to 223. Ours is `generate`, with sampler,
 * detokenizer and stream; the peers run the model and take the greatest logit.
 */
import { join } from 'node:path'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptDecoder, THREADS } from '../ours.ts'
import { type Answer, numberIn, numbersIn, type Peer } from '../peer.ts'
import { figure } from '../results.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'
import { baby, gptWeights, writeWeights } from '../weights.ts'

const COUNT = 192
/** Runs until V8 has compiled all that a step calls for good: a token takes 0.15 ms in the third run and 0.11 ms from the thirtieth on. */
const WARM_UP = 30
const prompt = Array.from({ length: 32 }, (_, i) => (i * 7) % baby.vocabulary)

export const row: Row = {
  name: 'decode-baby',
  title: 'decoding a token, 4 layers x 128',
  unit: 'ms',
  target: 'ratio >= 1.3',
  peer: 'the better of onnxruntime-node and PyTorch',
  run: async tools => {
    const file = join(tools.cache, 'baby.safetensors')
    const onnx = join(tools.cache, 'baby.onnx')
    // Spread wide enough that greedy text wanders, so that equal ids mean something.
    const weights = gptWeights(baby, 0.1)
    writeWeights(file, weights)
    const decoder = gptDecoder(baby, weights)
    const { layers, heads, width } = baby
    const torch = await orReason(tools.python('pytorch.py'))
    const runtime = await orReason(tools.node('onnxruntime.mjs'))
    const present: Peer[] = []
    if (typeof torch !== 'string') {
      await torch.ask({ do: 'load', weights: file, heads, threads: 1 })
      present.push(torch)
      if (typeof runtime !== 'string') {
        await torch.ask({ do: 'export', out: onnx })
        await runtime.ask({ do: 'load', file: onnx, layers, heads, headWidth: width / heads, threads: 1 })
        present.unshift(runtime)
      }
    }
    const decode = (peer: Peer): Promise<Answer> => peer.ask({ do: 'decode', prompt, count: COUNT })
    const own = await decoder.decode(prompt, COUNT)
    const logits = decoder.logits([...prompt, ...own.ids])
    let difference = 0
    for (const peer of present) {
      const theirs = await decode(peer)
      checkEqual(`ids of ${peer.version}`, own.ids, numbersIn(theirs, 'ids'), 0)
      difference = Math.max(
        difference,
        checkEqual(`logits of ${peer.version}`, logits, numbersIn(theirs, 'logits'), 1e-4),
      )
    }
    const ours = async () => (await decoder.decode(prompt, COUNT)).milliseconds / COUNT
    const against = async (peer: Peer | null) => {
      const theirs = peer && (async () => numberIn(await decode(peer), 'milliseconds') / COUNT)
      return { peer, pairs: await alternate(tools.pairs, ours, theirs, WARM_UP) }
    }
    const measured = present.length === 0 ? [await against(null)] : []
    for (const peer of present) measured.push(await against(peer))
    decoder.close()
    const theirs = measured.flatMap(({ peer, pairs }) =>
      peer ? [{ version: peer.version, value: median(pairs.theirs), ours: median(pairs.ours) }] : [],
    )
    const best = theirs.length === 0 ? null : theirs.reduce((a, b) => (a.value <= b.value ? a : b))
    const value = best?.ours ?? median(measured.flatMap(({ pairs }) => pairs.ours))
    const peerValue = best?.value ?? null
    const reasons = [torch, runtime].filter(peer => typeof peer === 'string')
    const versions = theirs.map(({ version, value }) => `${version}: ${figure(value)} ms`)
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        decoder.backend,
        ...versions,
        ...reasons,
        `each run is ${COUNT} tokens after ${prompt.length}`,
        ...(present.length > 0 ? [`ids equal, logits within ${difference.toExponential(0)}`] : []),
      ].join('; '),
      details: Object.fromEntries(measured.map(({ peer, pairs }) => [peer?.version ?? 'alone', [...pairs.theirs]])),
    }
  },
}
