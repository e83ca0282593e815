/**
 * One token of cached greedy decoding of a 134M Llama, weights in blocks of 8 bits: the same bytes on both sides. Ours is `generate`, with sampler,
 * detokenizer and stream; the peer is llama.cpp as node-llama-cpp ships it. Bound by reading the weights.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeGguf } from '../gguf.ts'
import { bytesPerToken, config, llamaDecoder, q8Weights, widened } from '../llama.ts'
import { alternate, logProbabilities, median } from '../measure.ts'
import { THREADS } from '../ours.ts'
import { type Answer, numberIn, numbersIn, type Peer } from '../peer.ts'
import { besideFastest, type Fastest } from '../peerThreads.ts'
import { figure } from '../results.ts'
import { roofline } from '../roofline.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'

const COUNT = 64
/** Pairs before those that count: V8 compiles. */
const WARM_UP = 2
/** Both sides round activations to 8 bits, each in its own way: neither is farther than this from the products of the same weights with activations in f32. */
const BOUND = { ofOurs: 1.5, ofSpread: 0.05 }
const prompt = Array.from({ length: 8 }, (_, i) => 300 + ((i * 7919) % 31000))

const distance = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] ?? Number.NaN)) ** 2, 0) / a.length)

/** Root mean squares over the vocabulary, in nats. */
interface Distances {
  readonly ours: number
  readonly theirs: number
  /** Of the log probabilities from their mean. */
  readonly spread: number
}

const distances = (exact: Float64Array, ours: Float64Array, theirs: Float64Array): Distances => {
  const mean = exact.reduce((a, b) => a + b) / exact.length
  const found = {
    ours: distance(ours, exact),
    theirs: distance(theirs, exact),
    spread: distance(
      exact,
      exact.map(() => mean),
    ),
  }
  if (!(found.theirs <= BOUND.ofOurs * found.ours && found.ours <= BOUND.ofSpread * found.spread))
    throw new Error(`log probabilities of llama.cpp: ${JSON.stringify(found)}`)
  return found
}

export const row: Row = {
  name: 'decode-llama-q8',
  title: 'decoding a token, 134M Llama, weights in 8-bit blocks (Q8_0), two threads',
  unit: 'ms',
  target: 'ratio >= 1',
  peer: 'llama.cpp (node-llama-cpp), best of one or two threads',
  run: async tools => {
    const file = join(tools.cache, 'llama-q8.gguf')
    const before = await roofline(THREADS)
    const weights = q8Weights()
    const bytes = bytesPerToken(weights)
    const peer = await orReason(tools.node('llama.mjs'))
    if (typeof peer !== 'string') writeGguf(file, config, weights)
    const decoder = llamaDecoder(weights, THREADS)
    const load = (peer: Peer, threads: number): Promise<Answer> =>
      peer.ask({ do: 'load', file, threads, size: config.max_position_embeddings })
    const ours = async () => (await decoder.decode(prompt, COUNT)).milliseconds / COUNT
    try {
      let beside: Fastest | null = null
      let apart: Distances | null = null
      if (typeof peer !== 'string') {
        await load(peer, 1)
        const text = [...prompt, ...(await decoder.decode(prompt, COUNT)).ids]
        const read = numbersIn(await peer.ask({ do: 'logProbabilities', ids: text }), 'logProbabilities')
        const exact = llamaDecoder(widened(weights), THREADS)
        apart = distances(
          logProbabilities(exact.logits(text)),
          logProbabilities(decoder.logits(text)),
          Float64Array.from(read),
        )
        exact.close()
        const theirs = async () =>
          numberIn(await peer.ask({ do: 'decode', prompt, count: COUNT }), 'milliseconds') / COUNT
        beside = await besideFastest(tools.pairs, threads => load(peer, threads), ours, theirs, WARM_UP)
      }
      const value = median(beside?.ours ?? (await alternate(tools.pairs, ours, null, WARM_UP)).ours)
      const peerValue = beside === null ? null : median(beside.theirs)
      const { read } = await roofline(THREADS, before)
      const floor = bytes / read / 1e6
      return {
        value,
        peerValue,
        ratio: lowerIsBetter(value, peerValue),
        threads: THREADS,
        runs: tools.pairs,
        note: [
          decoder.backend,
          typeof peer === 'string' ? peer : `${peer.version}: ${beside?.note}`,
          `each run is ${COUNT} tokens after ${prompt.length}`,
          `floor ${figure(floor)} ms: ${figure(bytes / 1e6)} MB a token at the ${figure(read)} GB/s that two threads read`,
          ...(apart === null
            ? []
            : [
                `log probabilities (spread ${figure(apart.spread)}) are ${figure(apart.ours)} from those of unrounded activations, the peer's ${figure(apart.theirs)}`,
              ]),
        ].join('; '),
        details: {
          read,
          bytesPerToken: bytes,
          floor,
          ours: beside?.ours ?? [],
          theirs: beside?.theirs ?? [],
        },
      }
    } finally {
      decoder.close()
      rmSync(file, { force: true })
    }
  },
}
