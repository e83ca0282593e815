/** Runs in a page and, from the same bundle, in a worker: what threads the engine gets there, and the bits of a product on them. */
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { key, uniform } from '../../src/random.ts'

const N = 96

/** What a place says of itself; plain numbers, to compare with Node's. */
export const report = async () => {
  const engine = wasmEngine({ threads: 2, splitFrom: 0, relaxed: false })
  const [x, y, out] = [1, 2, 3].map(seed => {
    const storage = engine.allocate(N * N)
    engine.write(storage, uniform(key(seed), N * N))
    return storage
  })
  if (x === undefined || y === undefined || out === undefined) throw new RangeError('three matrices')
  const sizes = { batch: 1, xBatched: false, yBatched: false, rows: N, inner: N, columns: N }
  const product = () => engine.primitives.matmul(out, x, y, { ...sizes, transposeX: false, transposeY: false })
  product()
  // A browser starts a worker's workers while its event loop turns.
  await new Promise(resolve => setTimeout(resolve, 500))
  const up = engine.warm()
  for (let i = 0; i < 20; i++) product()
  const values = await engine.read(out, N * N)
  const { threads, fallbackReason } = engine
  engine.close()
  return { up, threads, fallbackReason, values: Array.from(values) }
}

const inPage = (): void => {
  const worker = new Worker('/page.js')
  const show = async (inWorker: unknown): Promise<void> =>
    document.body.setAttribute('data-result', JSON.stringify({ page: await report(), worker: inWorker }))
  worker.onmessage = ({ data }) => show(data)
  worker.onerror = ({ message }) => show({ error: message })
}

if (typeof document !== 'undefined') inPage()
else if (typeof process === 'undefined') report().then(postMessage, error => postMessage({ error: String(error) }))
