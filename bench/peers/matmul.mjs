// Square f32 matmul of one JavaScript library (the argument: tfjs-wasm, jax-js, gpu.js-webasm or gpu.js-cpu), one thread.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, need } from './answer.mjs'

const floats = path => {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

const packageFolder = (name, folder = '..') =>
  fileURLToPath(new URL(`${folder}/node_modules/${name}/`, import.meta.url))
const versionOf = (name, folder) =>
  JSON.parse(readFileSync(`${packageFolder(name, folder)}package.json`, 'utf8')).version

const gpu = async mode => {
  const { GPU, input } = (await need('gpu.js')).default
  const onHost = new GPU({ mode })
  let product
  return {
    version: `gpu.js ${mode} ${versionOf('gpu.js', '../..')}`,
    from: (values, n) => {
      product = onHost.createKernel(
        `function (x, y) {
          let sum = 0;
          for (let k = 0; k < this.constants.n; k++) sum += x[this.thread.y][k] * y[k][this.thread.x];
          return sum;
        }`,
        { output: [n, n], constants: { n }, precision: 'single' },
      )
      return input(values, [n, n])
    },
    matmul: (x, y) => product(x, y),
    // Rows, on the host already.
    read: z => z.at(-1),
    free: () => {},
  }
}

const libraries = {
  'gpu.js-webasm': () => gpu('webasm'),
  'gpu.js-cpu': () => gpu('cpu'),
  'tfjs-wasm': async () => {
    const tf = (await need('@tensorflow/tfjs-core')).default
    const { setWasmPaths, setThreadsCount } = (await need('@tensorflow/tfjs-backend-wasm')).default
    setWasmPaths(`${packageFolder('@tensorflow/tfjs-backend-wasm')}dist/`)
    setThreadsCount(1)
    await tf.setBackend('wasm')
    return {
      version: `tfjs-wasm ${versionOf('@tensorflow/tfjs-backend-wasm')}`,
      from: (values, n) => tf.tensor2d(values, [n, n]),
      matmul: (x, y) => tf.matMul(x, y),
      read: z => z.dataSync(),
      free: z => z.dispose(),
    }
  },
  'jax-js': async () => {
    const { numpy: np, init, defaultDevice } = await need('@jax-js/jax')
    await init('wasm')
    defaultDevice('wasm')
    return {
      version: `jax-js wasm ${versionOf('@jax-js/jax')}`,
      from: (values, n) => np.array(values).reshape([n, n]),
      matmul: (x, y) => np.matmul(x.ref, y.ref),
      // Evaluation is lazy: reading is what computes.
      read: z => z.ref.dataSync(),
      free: z => z.dispose(),
    }
  },
}

const library = await libraries[process.argv[2]]()
let x
let y
const once = () => {
  const z = library.matmul(x, y)
  const values = library.read(z)
  library.free(z)
  return values
}

await answer(library.version, {
  load: files => {
    x = library.from(floats(files.x), files.n)
    y = library.from(floats(files.y), files.n)
    // The last row, for the check.
    return { last: Array.from(once().slice(-files.n)) }
  },
  time: ({ times }) => {
    const start = performance.now()
    for (let i = 0; i < times; i++) once()
    return { milliseconds: (performance.now() - start) / times }
  },
})
