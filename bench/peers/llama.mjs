// llama.cpp through node-llama-cpp's own binaries, CPU only: greedy cached decoding of a GGUF file.
import { answer, need } from './answer.mjs'

const { getLlama, getModuleVersion } = await need('node-llama-cpp')
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', progressLogs: false })
const state = { model: null, file: '', context: null, sequence: null }
const greedy = { temperature: 0, yieldEogToken: true }

const load = async ({ file, threads, size }) => {
  await state.context?.dispose()
  if (state.file !== file) {
    await state.model?.dispose()
    state.model = await llama.loadModel({ modelPath: file })
    state.file = file
  }
  state.context = await state.model.createContext({ contextSize: size, threads })
  state.sequence = state.context.getSequence()
  return { threads: state.context.currentThreads }
}

/** Feeds the prompt, then times `count` greedy steps. */
const decode = async ({ prompt, count }) => {
  await state.sequence.clearHistory()
  const ids = []
  const times = []
  for await (const token of state.sequence.evaluate(prompt, greedy)) {
    ids.push(token)
    times.push(performance.now())
    if (ids.length > count) break
  }
  return { ids: ids.slice(0, count), milliseconds: times.at(-1) - times[0] }
}

/** Log probabilities of all tokens after these. */
const logProbabilities = async ({ ids }) => {
  await state.sequence.clearHistory()
  for await (const { probabilities } of state.sequence.evaluateWithMetadata(ids, { probabilities: true }, greedy)) {
    const all = []
    for (const [id, p] of probabilities) all[id] = Math.log(p)
    return { logProbabilities: all }
  }
}

await answer(`node-llama-cpp ${await getModuleVersion()}`, { load, decode, logProbabilities })
