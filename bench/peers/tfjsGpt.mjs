// tfjs-wasm as a peer: training steps of the same GPT as gpt.py, on weights that the asking side wrote. It starts no threads in Node.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, need } from './answer.mjs'
import { readSafetensors } from './safetensors.mjs'

const tf = (await need('@tensorflow/tfjs-core')).default
// It registers the gradients, which the core's build for Node leaves out.
await need('@tensorflow/tfjs-layers')
const { setWasmPaths } = (await need('@tensorflow/tfjs-backend-wasm')).default
const folder = fileURLToPath(new URL('../node_modules/@tensorflow/tfjs-backend-wasm/', import.meta.url))
setWasmPaths(`${folder}dist/`)
await tf.setBackend('wasm')
const { version } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'))

const norm = (x, weight) => {
  const centred = tf.sub(x, tf.mean(x, -1, true))
  return tf.mul(tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5))), weight)
}
const gelu = x => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))

/** Mean cross-entropy of targets y after tokens x, both one-hot (rows, vocabulary): the gradient of a gather has no kernel here. */
const lossOf = ({ p, heads, layers, batch, time }, x, y, mask) => {
  const [, width] = p['wte.weight'].shape
  const split = z => tf.transpose(tf.reshape(z, [batch, time, heads, width / heads]), [0, 2, 1, 3])
  const attention = (z, name) => {
    const [q, k, v] = tf.split(tf.matMul(z, p[`${name}.c_attn.weight`]), 3, -1).map(split)
    const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width / heads))
    const mixed = tf.transpose(tf.matMul(tf.softmax(tf.add(scores, mask)), v), [0, 2, 1, 3])
    return tf.matMul(tf.reshape(mixed, [batch * time, width]), p[`${name}.c_proj.weight`])
  }
  const mlp = (z, name) => tf.matMul(gelu(tf.matMul(z, p[`${name}.c_fc.weight`])), p[`${name}.c_proj.weight`])
  const embedded = tf.reshape(tf.matMul(x, p['wte.weight']), [batch, time, width])
  let h = tf.reshape(tf.add(embedded, p['wpe.weight']), [batch * time, width])
  for (let i = 0; i < layers; i++) {
    h = tf.add(h, attention(norm(h, p[`h.${i}.ln_1.weight`]), `h.${i}.attn`))
    h = tf.add(h, mlp(norm(h, p[`h.${i}.ln_2.weight`]), `h.${i}.mlp`))
  }
  const logits = tf.matMul(norm(h, p['ln_f.weight']), p['wte.weight'], false, true)
  return tf.mul(tf.sum(tf.mul(tf.logSoftmax(logits), y)), -1 / (batch * time))
}

const [BETA1, BETA2, EPSILON, DECAY] = [0.9, 0.99, 1e-8, 0.1]
let state

/** Gradient, clip to norm 1, AdamW with decay on matrices. */
const step = (rows, targets, rate) => {
  const { p, first, second, heads, layers, mask } = state
  const [vocabulary] = p['wte.weight'].shape
  const names = Object.keys(p)
  const t = ++state.t
  const next = tf.tidy(() => {
    const [x, y] = [rows, targets].map(ids =>
      tf.cast(tf.oneHot(tf.tensor1d(ids.flat(), 'int32'), vocabulary), 'float32'),
    )
    const shape = { heads, layers, batch: rows.length, time: rows[0].length }
    const loss = (...values) =>
      lossOf({ ...shape, p: Object.fromEntries(names.map((name, i) => [name, values[i]])) }, x, y, mask)
    const { value, grads } = tf.valueAndGrads(loss)(Object.values(p))
    const length = tf.sqrt(tf.addN(grads.map(g => tf.sum(tf.square(g)))))
    const factor = tf.minimum(tf.reciprocal(tf.add(length, 1e-6)), 1)
    const moved = names.map((name, i) => {
      const g = tf.mul(grads[i], factor)
      const m = tf.add(tf.mul(first[name], BETA1), tf.mul(g, 1 - BETA1))
      const v = tf.add(tf.mul(second[name], BETA2), tf.mul(tf.square(g), 1 - BETA2))
      const deviation = tf.add(tf.sqrt(tf.div(v, 1 - BETA2 ** t)), EPSILON)
      const decay = tf.mul(p[name], p[name].rank > 1 ? DECAY : 0)
      const direction = tf.add(tf.div(tf.div(m, 1 - BETA1 ** t), deviation), decay)
      return [name, [tf.sub(p[name], tf.mul(direction, rate)), m, v]]
    })
    const part = i => Object.fromEntries(moved.map(([name, values]) => [name, values[i]]))
    return { value, p: part(0), first: part(1), second: part(2) }
  })
  const loss = next.value.dataSync()[0]
  tf.dispose([p, first, second, next.value])
  Object.assign(state, { p: next.p, first: next.first, second: next.second })
  return loss
}

await answer(`tfjs-wasm ${version}`, {
  load: ({ weights, heads }) => {
    const tensors = [...readSafetensors(weights)]
    const p = Object.fromEntries(tensors.map(([name, { shape, values }]) => [name, tf.tensor(values, shape)]))
    const zeros = () => Object.fromEntries(tensors.map(([name, { shape }]) => [name, tf.zeros(shape)]))
    const layers = Object.keys(p).filter(name => name.endsWith('.ln_1.weight')).length
    const [block] = p['wpe.weight'].shape
    const masked = Float32Array.from({ length: block * block }, (_, at) =>
      at % block <= Math.floor(at / block) ? 0 : -1e30,
    )
    state = { p, first: zeros(), second: zeros(), mask: tf.tensor(masked, [block, block]), heads, layers, t: 0 }
    return {}
  },
  train: ({ x, y, rate }) => {
    const start = performance.now()
    const losses = x.map((rows, i) => step(rows, y[i], rate))
    return { losses, milliseconds: performance.now() - start }
  },
})
