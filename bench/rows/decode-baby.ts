/**
 * One token of cached greedy decoding, 4 layers x 128, 256 positions: the mean over positions 32 to 223. Ours is `generate`, with sampler,
 * detokenizer and stream; the peers run the model and take the greatest logit.
 */
import { join } from 'node:path'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptDecoder, THREADS } from '../ours.ts'
import { type Answer, numberIn, numbersIn, type Peer } from '../peer.ts'
import { besideFastest, type Fastest } from '../peerThreads.ts'
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
  peer: 'the better of onnxruntime-node and PyTorch, best of one or two threads',
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
    const present: { readonly peer: Peer; load(threads: number): Promise<Answer> }[] = []
    if (typeof torch !== 'string') {
      const load = (threads: number) => torch.ask({ do: 'load', weights: file, heads, threads })
      await load(1)
      if (typeof runtime !== 'string') {
        await torch.ask({ do: 'export', out: onnx })
        const shape = { layers, heads, headWidth: width / heads }
        present.push({ peer: runtime, load: threads => runtime.ask({ do: 'load', file: onnx, ...shape, threads }) })
      }
      present.push({ peer: torch, load })
    }
    const decode = (peer: Peer): Promise<Answer> => peer.ask({ do: 'decode', prompt, count: COUNT })
    const own = await decoder.decode(prompt, COUNT)
    const logits = decoder.logits([...prompt, ...own.ids])
    let difference = 0
    for (const { peer, load } of present) {
      await load(1)
      const theirs = await decode(peer)
      checkEqual(`ids of ${peer.version}`, own.ids, numbersIn(theirs, 'ids'), 0)
      difference = Math.max(
        difference,
        checkEqual(`logits of ${peer.version}`, logits, numbersIn(theirs, 'logits'), 1e-4),
      )
    }
    const ours = async () => (await decoder.decode(prompt, COUNT)).milliseconds / COUNT
    const measured: (Fastest & { readonly version: string })[] = []
    for (const { peer, load } of present) {
      const theirs = async () => numberIn(await decode(peer), 'milliseconds') / COUNT
      measured.push({ version: peer.version, ...(await besideFastest(tools.pairs, load, ours, theirs, WARM_UP)) })
    }
    const best =
      measured.length === 0 ? null : measured.reduce((a, b) => (median(a.theirs) <= median(b.theirs) ? a : b))
    const value = median((best ?? (await alternate(tools.pairs, ours, null, WARM_UP))).ours)
    const peerValue = best && median(best.theirs)
    decoder.close()
    const reasons = [torch, runtime].filter(peer => typeof peer === 'string')
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        decoder.backend,
        ...measured.map(({ version, note }) => `${version}: ${note}`),
        ...reasons,
        `each run is ${COUNT} tokens after ${prompt.length}`,
        ...(present.length > 0 ? [`ids equal, logits within ${difference.toExponential(0)}`] : []),
      ].join('; '),
      details: Object.fromEntries(measured.map(({ version, theirs }) => [version, theirs])),
    }
  },
}
