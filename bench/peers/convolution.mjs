// Convolutions of tfjs-wasm as a peer, in its own layout (batch, height, width, channels): forward, or the gradient of the input.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, need } from './answer.mjs'

const tf = (await need('@tensorflow/tfjs-core')).default
const { setWasmPaths } = (await need('@tensorflow/tfjs-backend-wasm')).default
const folder = fileURLToPath(new URL('../node_modules/@tensorflow/tfjs-backend-wasm/', import.meta.url))
setWasmPaths(`${folder}dist/`)
await tf.setBackend('wasm')

const floats = path => {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}
const turned = (values, shape, order) => tf.tidy(() => tf.transpose(tf.tensor(values, shape), order))

// Operations run when they are called; reading their result would add a copy.
let once
let operands = []

await answer(`tfjs-wasm ${JSON.parse(readFileSync(`${folder}package.json`, 'utf8')).version}`, {
  load: ({ files, batch, inputs, outputs, size, kernel, stride, pass, checked }) => {
    for (const operand of operands) operand.dispose()
    const [x, weight, dy] = files.map(floats)
    const outSize = size / stride
    const padding = (kernel - 1) / 2
    const planes = turned(x, [batch, inputs, size, size], [0, 2, 3, 1])
    const kernels = turned(weight, [outputs, inputs, kernel, kernel], [2, 3, 1, 0])
    const cotangent = turned(dy, [batch, outputs, outSize, outSize], [0, 2, 3, 1])
    operands = [planes, kernels, cotangent]
    const work =
      pass === 'forward'
        ? () => tf.conv2d(planes, kernels, stride, padding)
        : () => tf.conv2dTranspose(cotangent, kernels, [batch, size, size, inputs], stride, padding)
    once = () => work().dispose()
    const first = tf.tidy(() => tf.slice(tf.reshape(tf.transpose(work(), [0, 3, 1, 2]), [-1]), 0, checked).dataSync())
    return { result0: Array.from(first), threads: 1 }
  },
  time: ({ repeats }) => {
    const start = performance.now()
    for (let i = 0; i < repeats; i++) once()
    return { milliseconds: performance.now() - start }
  },
})
