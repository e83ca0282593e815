/** What the host offers for threads: Node's worker_threads, or Web Workers inside a worker. Nothing is imported, so that browsers load it. */
import { type WorkerData, workerSource } from './worker.ts'

/** Node's own modules, where there are any (Node 20.16 and later). */
const nodeModules = (): typeof process | null =>
  typeof process !== 'undefined' && typeof process.getBuiltinModule === 'function' ? process : null

/** Why kernels cannot be split here; empty where they can: the caller must be allowed to wait, and memory to be shared. */
export const threadsMissing = (): string => {
  if (typeof SharedArrayBuffer === 'undefined')
    return 'this host has no SharedArrayBuffer (a page needs cross-origin isolation)'
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0)
  } catch {
    return 'this thread may not wait: run the engine inside a worker'
  }
  return nodeModules() !== null || typeof Worker === 'function' ? '' : 'this host has no workers (Node: 20.16 or later)'
}

/** Processors that this process may use; 1 where the host does not say. */
export const processors = (): number =>
  nodeModules()?.getBuiltinModule('node:os').availableParallelism() ??
  (typeof navigator === 'undefined' ? 1 : navigator.hardwareConcurrency || 1)

/** Starts a worker that keeps no process alive. `ended` hears why it ended, at any time later. */
export const startWorker = (data: WorkerData, ended: (cause: string) => void): void => {
  const node = nodeModules()
  if (node !== null) {
    const { Worker: Thread } = node.getBuiltinModule('node:worker_threads')
    const source = workerSource("serve(process.getBuiltinModule('node:worker_threads').workerData, work)")
    // Without the flags and loaders of this process: it needs none, and they cost its start.
    const thread = new Thread(source, { eval: true, workerData: data, execArgv: [], env: {} })
    thread.unref()
    thread.on('error', cause => ended(String(cause)))
    thread.on('exit', code => ended(`exit code ${code}`))
    return
  }
  // The worker itself lets go of its address: only then has it been read.
  const source = workerSource(
    'URL.revokeObjectURL(location.href)\nonmessage = ({ data }) => { serve(data, work); close() }',
  )
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
  const worker = new Worker(url)
  worker.onerror = event => ended(event.message)
  worker.postMessage(data)
}
