// Square f32 matmul on WebGPU of one JavaScript library (the argument: jax-js or gpu.js): a chain of products on the device, one row read back.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, need } from './answer.mjs'
import './webgpu.mjs'

const floats = path => {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

const versionOf = (name, folder) =>
  JSON.parse(
    readFileSync(fileURLToPath(new URL(`${folder}/node_modules/${name}/package.json`, import.meta.url)), 'utf8'),
  ).version

/** Each: `load` takes two matrices and gives `chain(times)`, the last row of x (x (... y)). */
const libraries = {
  'jax-js': async () => {
    const { numpy: np, init, defaultDevice } = await need('@jax-js/jax')
    await init('webgpu')
    defaultDevice('webgpu')
    return {
      version: `jax-js webgpu ${versionOf('@jax-js/jax', '..')}`,
      load: (x, y, n) => {
        const [left, right] = [x, y].map(values => np.array(values).reshape([n, n]))
        return times => {
          let z = right.ref
          for (let i = 0; i < times; i++) z = np.matmul(left.ref, z)
          return z.slice(n - 1).data()
        }
      },
    }
  },
  'gpu.js': async () => {
    const { GPU, input } = (await need('gpu.js')).default
    const gpu = new GPU({ mode: 'webgpu' })
    const on = { pipeline: true, immutable: true, precision: 'single' }
    return {
      version: `gpu.js webgpu ${versionOf('gpu.js', '../..')}`,
      load: async (x, y, n) => {
        const options = { ...on, output: [n, n], constants: { n } }
        const copy = () => gpu.createKernel('function (x) { return x[this.thread.y][this.thread.x]; }', options)
        const product = gpu.createKernel(
          `function (x, y) {
            let sum = 0;
            for (let k = 0; k < this.constants.n; k++) sum += x[this.thread.y][k] * y[k][this.thread.x];
            return sum;
          }`,
          options,
        )
        const lastRow = gpu.createKernel('function (z) { return z[this.constants.n - 1][this.thread.x]; }', {
          output: [n],
          constants: { n },
          precision: 'single',
        })
        const [left, right] = await Promise.all([x, y].map(values => copy()(input(values, [n, n]))))
        return async times => {
          let z = right
          for (let i = 0; i < times; i++) {
            const next = await product(left, z)
            if (z !== right) z.delete()
            z = next
          }
          const row = await lastRow(z)
          if (z !== right) z.delete()
          return row
        }
      },
    }
  },
}

const library = await libraries[process.argv[2]]()
let chain

await answer(library.version, {
  load: async ({ x, y, n }) => {
    chain = await library.load(floats(x), floats(y), n)
    return { last: Array.from(await chain(1)) }
  },
  time: async ({ times }) => {
    const start = performance.now()
    await chain(times)
    return { milliseconds: (performance.now() - start) / times }
  },
})
