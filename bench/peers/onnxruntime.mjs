// onnxruntime-node as a peer: cached greedy decoding of one exported step, or one pass over an exported prompt.
import { answer, need } from './answer.mjs'

const { Tensor, InferenceSession, env } = (await need('onnxruntime-node')).default

let session
let shape
const load = async ({ file, layers, heads, headWidth, threads }) => {
  await session?.release()
  session = await InferenceSession.create(file, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
  })
  shape = { layers, heads, headWidth }
  return {}
}

const step = (token, position, past) =>
  session.run({
    ids: new Tensor('int64', BigInt64Array.of(BigInt(token)), [1, 1]),
    position: new Tensor('int64', BigInt64Array.of(BigInt(position)), [1]),
    ...past,
  })

const pastOf = outputs => {
  const past = {}
  for (let i = 0; i < 2 * shape.layers; i++) past[`past${i}`] = outputs[`next${i}`]
  return past
}

const greedy = logits => {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i
  return best
}

const decode = async ({ prompt, count }) => {
  let past = {}
  for (let i = 0; i < 2 * shape.layers; i++) {
    past[`past${i}`] = new Tensor('float32', new Float32Array(0), [1, shape.heads, 0, shape.headWidth])
  }
  let outputs
  for (const [position, token] of prompt.entries()) {
    outputs = await step(token, position, past)
    past = pastOf(outputs)
  }
  const ids = []
  const start = performance.now()
  for (let position = prompt.length; position < prompt.length + count; position++) {
    ids.push(greedy(outputs.logits.data))
    outputs = await step(ids.at(-1), position, past)
    past = pastOf(outputs)
  }
  return { ids, milliseconds: performance.now() - start, logits: Array.from(outputs.logits.data) }
}

const prefill = async ({ prompt }) => {
  const ids = new Tensor('int64', BigInt64Array.from(prompt, BigInt), [1, prompt.length])
  const start = performance.now()
  const { logits } = await session.run({ ids })
  return { milliseconds: performance.now() - start, logits: Array.from(logits.data) }
}

await answer(`onnxruntime-node ${env.versions.node ?? env.versions.common}`, { load, decode, prefill })
