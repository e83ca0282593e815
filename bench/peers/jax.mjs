// jax-js as a peer, on WebAssembly or what the argument names (webgpu): training steps of the same GPT as gpt.py, on weights that the asking side
// wrote. The whole step is one `jit`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, need } from './answer.mjs'
import { readSafetensors } from './safetensors.mjs'

const device = process.argv[2] ?? 'wasm'
if (device === 'webgpu') await import('./webgpu.mjs')
const { numpy: np, nn, init, defaultDevice, jit, valueAndGrad, tree } = await need('@jax-js/jax')
await init(device)
defaultDevice(device)
const folder = fileURLToPath(new URL('../node_modules/@jax-js/jax/', import.meta.url))
const { version } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'))

// Arrays are counted: `ref` keeps one for another use, any other use consumes it.
const norm = (x, weight) => {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }))
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true })
  return centred.div(np.sqrt(variance.add(1e-5))).mul(weight.ref)
}

const attention = (x, p, name, heads, mask) => {
  const [batch, time, width] = x.shape
  const split = np.split(np.matmul(x, p[`${name}.c_attn.weight`].ref), 3, -1)
  const [q, k, v] = split.map(z => np.transpose(z.reshape([batch, time, heads, width / heads]), [0, 2, 1, 3]))
  const scores = np.matmul(q, np.transpose(k, [0, 1, 3, 2])).mul(1 / Math.sqrt(width / heads))
  const mixed = np.matmul(nn.softmax(scores.add(mask.ref), -1), v)
  return np.matmul(np.transpose(mixed, [0, 2, 1, 3]).reshape([batch, time, width]), p[`${name}.c_proj.weight`].ref)
}

const mlp = (x, p, name) =>
  np.matmul(nn.gelu(np.matmul(x, p[`${name}.c_fc.weight`].ref), { approximate: false }), p[`${name}.c_proj.weight`].ref)

/** Mean cross-entropy of targets y after tokens x, both one-hot (batch, time, vocabulary). */
const lossOf =
  ({ layers, heads }) =>
  (p, x, y, mask) => {
    let h = np.matmul(x, p['wte.weight'].ref).add(p['wpe.weight'].ref)
    for (let i = 0; i < layers; i++) {
      h = h.ref.add(attention(norm(h, p[`h.${i}.ln_1.weight`]), p, `h.${i}.attn`, heads, mask))
      h = h.ref.add(mlp(norm(h, p[`h.${i}.ln_2.weight`]), p, `h.${i}.mlp`))
    }
    const logits = np.matmul(norm(h, p['ln_f.weight']), np.transpose(p['wte.weight'].ref))
    const rows = y.shape[0] * y.shape[1]
    mask.dispose()
    const loss = nn
      .logSoftmax(logits, -1)
      .mul(y)
      .sum()
      .mul(-1 / rows)
    for (const one of Object.values(p)) one.dispose()
    return loss
  }

const [BETA1, BETA2, EPSILON, DECAY] = [0.9, 0.99, 1e-8, 0.1]

/** Gradient, clip to norm 1, AdamW with decay on matrices. `corrections` is 1 - beta^t for both betas. */
const stepOf = shape => {
  const gradient = valueAndGrad(lossOf(shape))
  return jit((p, first, second, x, y, mask, rate, corrections) => {
    const names = Object.keys(p)
    const [loss, g] = gradient(tree.ref(p), x, y, mask)
    const squares = names.map(name => np.square(g[name].ref).sum())
    const length = np.sqrt(squares.reduce((a, b) => a.add(b)))
    const factor = np.minimum(np.reciprocal(length.add(1e-6)), 1)
    const [correction1, correction2] = np.split(corrections, 2)
    const next = { p: {}, first: {}, second: {} }
    for (const name of names) {
      const clipped = g[name].mul(factor.ref)
      const m = first[name].mul(BETA1).add(clipped.ref.mul(1 - BETA1))
      const v = second[name].mul(BETA2).add(np.square(clipped).mul(1 - BETA2))
      const deviation = np.sqrt(v.ref.div(correction2.ref)).add(EPSILON)
      const decay = p[name].ndim > 1 ? DECAY : 0
      const direction = m.ref.div(correction1.ref).div(deviation).add(p[name].ref.mul(decay))
      next.p[name] = p[name].sub(direction.mul(rate.ref))
      next.first[name] = m
      next.second[name] = v
    }
    for (const x of [factor, rate, correction1, correction2]) x.dispose()
    return { loss, ...next }
  })
}

const oneHot = (ids, classes) => nn.oneHot(np.array(ids, { dtype: np.int32 }), classes)
let state

await answer(`jax-js ${device} ${version}`, {
  load: ({ weights, heads }) => {
    const tensors = [...readSafetensors(weights)]
    const p = Object.fromEntries(tensors.map(([name, { shape, values }]) => [name, np.array(values).reshape(shape)]))
    const layers = Object.keys(p).filter(name => name.endsWith('.ln_1.weight')).length
    const [block] = p['wpe.weight'].shape
    const mask = np
      .array(
        Float32Array.from({ length: block * block }, (_, at) => (at % block <= Math.floor(at / block) ? 0 : -1e30)),
      )
      .reshape([block, block])
    const zeros = () => tree.map(x => np.zeros(x.shape), p)
    state = { p, first: zeros(), second: zeros(), mask, t: 0, step: stepOf({ layers, heads }) }
    return {}
  },
  train: async ({ x, y, rate }) => {
    const [vocabulary] = state.p['wte.weight'].shape
    const start = performance.now()
    const losses = []
    for (const [i, rows] of x.entries()) {
      const { p, first, second, mask, step } = state
      const t = ++state.t
      const corrections = np.array([1 - BETA1 ** t, 1 - BETA2 ** t])
      const inputs = [oneHot(rows, vocabulary), oneHot(y[i], vocabulary), mask.ref, np.array(rate), corrections]
      const { loss, ...next } = step(p, first, second, ...inputs)
      Object.assign(state, next)
      losses.push(await loss.jsAsync())
    }
    return { losses, milliseconds: performance.now() - start }
  },
})
