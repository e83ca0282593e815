// The bundled model's U-Net in tfjs-wasm, one thread: deterministic denoising steps. Training has no peer here: the backend lacks the gradient of conv2d's filter.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answer, need } from './answer.mjs'
import { readSafetensors } from './safetensors.mjs'

const FREQUENCIES = 128
const folder = name => fileURLToPath(new URL(`../node_modules/${name}/`, import.meta.url))
const tf = (await need('@tensorflow/tfjs-core')).default
const { setWasmPaths, setThreadsCount } = (await need('@tensorflow/tfjs-backend-wasm')).default
setWasmPaths(`${folder('@tensorflow/tfjs-backend-wasm')}dist/`)
setThreadsCount(1)
await tf.setBackend('wasm')
const { version } = JSON.parse(readFileSync(`${folder('@tensorflow/tfjs-backend-wasm')}package.json`, 'utf8'))

let w = {}
let config = {}

// Pictures are (batch, height, width, channels) here, its fastest layout; convolution weights (height, width, in, out).
const conv = (x, name, stride = 1) =>
  tf.add(tf.conv2d(x, w[`${name}.weight`], stride, w[`${name}.weight`].shape[0] === 1 ? 0 : 1), w[`${name}.bias`])
const linear = (x, name) => tf.add(tf.matMul(x, w[`${name}.weight`]), w[`${name}.bias`])
const silu = x => tf.mul(x, tf.sigmoid(x))
const norm = (x, name) => {
  const [batch, height, width, channels] = x.shape
  const groups = config.norm_num_groups
  const parts = tf.reshape(x, [batch, height * width, groups, channels / groups])
  const mean = tf.mean(parts, [1, 3], true)
  const centred = tf.sub(parts, mean)
  const normal = tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), [1, 3], true), 1e-5)))
  return tf.add(tf.mul(tf.reshape(normal, x.shape), w[`${name}.weight`]), w[`${name}.bias`])
}
const block = (x, condition, name) => {
  const told = linear(silu(condition), `${name}.emb_layers`)
  const h = tf.add(
    conv(silu(norm(x, `${name}.norm1`)), `${name}.conv1`),
    tf.reshape(told, [x.shape[0], 1, 1, told.shape[1]]),
  )
  const skip = w[`${name}.conv_shortcut.weight`] ? conv(x, `${name}.conv_shortcut`) : x
  return tf.add(skip, conv(silu(norm(h, `${name}.norm2`)), `${name}.conv2`))
}
const attend = (x, name) => {
  const [batch, height, width, channels] = x.shape
  const [heads, pixels] = [config.num_heads, height * width]
  const flat = tf.reshape(norm(x, `${name}.group_norm`), [batch * pixels, channels])
  const [q, k, v] = tf
    .split(linear(flat, `${name}.c_attn`), 3, 1)
    .map(part => tf.transpose(tf.reshape(part, [batch, pixels, heads, channels / heads]), [0, 2, 1, 3]))
  const weights = tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(channels / heads)))
  const mixed = tf.reshape(tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]), [batch * pixels, channels])
  return tf.add(x, tf.reshape(linear(mixed, `${name}.c_proj`), x.shape))
}
// Grey pictures as patches: channels are a patch's pixels in reading order.
const toChannels = x => {
  const [batch, height, width, channels] = x.shape
  const p = config.patch_size
  const cut = tf.reshape(x, [batch * (height / p), p, width / p, p * channels])
  return tf.reshape(tf.transpose(cut, [0, 2, 1, 3]), [batch, height / p, width / p, p * p * channels])
}
const toPixels = x => {
  const [batch, rows, columns, channels] = x.shape
  const p = config.patch_size
  const cut = tf.reshape(x, [batch * rows, columns, p, channels / p])
  return tf.reshape(tf.transpose(cut, [0, 2, 1, 3]), [batch, rows * p, columns * p, channels / (p * p)])
}
const unet = (image, times, labels) => {
  const levels = config.channel_mult.length
  const half = FREQUENCIES / 2
  const frequencies = tf.tensor2d(
    Array.from({ length: half }, (_, i) => 10000 ** (-i / half)),
    [1, half],
  )
  const angles = tf.mul(times, frequencies)
  const told = linear(silu(linear(tf.concat([tf.sin(angles), tf.cos(angles)], 1), 'time_embed.0')), 'time_embed.2')
  const condition = tf.add(told, tf.gather(w['label_emb.weight'], labels))
  let x = conv(toChannels(image), 'conv_in')
  const skips = [x]
  for (let level = 0; level < levels; level++) {
    for (let i = 0; i < config.num_res_blocks; i++) {
      x = block(x, condition, `down.${level}.block.${i}`)
      if (config.attention_levels.includes(level)) x = attend(x, `down.${level}.attn.${i}`)
      skips.push(x)
    }
    if (level + 1 < levels) {
      x = conv(x, `down.${level}.downsample`, 2)
      skips.push(x)
    }
  }
  x = block(attend(block(x, condition, 'mid.block.0'), 'mid.attn'), condition, 'mid.block.1')
  for (let level = levels - 1; level >= 0; level--) {
    for (let i = 0; i <= config.num_res_blocks; i++) {
      x = block(tf.concat([x, skips.pop()], 3), condition, `up.${level}.block.${i}`)
      if (config.attention_levels.includes(level)) x = attend(x, `up.${level}.attn.${i}`)
    }
    if (level > 0) {
      const [, height, width] = x.shape
      x = conv(tf.image.resizeNearestNeighbor(x, [height * 2, width * 2]), `up.${level}.upsample`)
    }
  }
  return toPixels(conv(silu(norm(x, 'norm_out')), 'conv_out'))
}

// PyTorch's layouts to tfjs': convolutions (out, in, height, width), linear layers (out, in), and both attention projections as they are.
const converted = (name, shape, values) => {
  const x = tf.tensor(values, shape)
  if (shape.length === 4) return tf.transpose(x, [2, 3, 1, 0])
  return /(emb_layers|time_embed\.\d)\.weight$/.test(name) ? tf.transpose(x) : x
}

await answer(`tfjs-wasm ${version}`, {
  load: request => {
    config = request.config
    w = Object.fromEntries(
      Array.from(readSafetensors(request.weights), ([name, { shape, values }]) => [
        name,
        converted(name, shape, values),
      ]),
    )
    return {}
  },
  denoise: ({ x, times, labels, shape, start_level: [a, s], end_level: [b, r], steps }) => {
    const image = tf.transpose(tf.tensor(x, shape), [0, 2, 3, 1])
    const [told, classes] = [tf.tensor2d(times, [times.length, 1]), tf.tensor1d(labels, 'int32')]
    const move = () =>
      tf.tidy(() => {
        const v = unet(image, told, classes)
        const x0 = tf.sub(tf.mul(image, a), tf.mul(v, s))
        const noise = tf.add(tf.mul(image, s), tf.mul(v, a))
        return tf.transpose(tf.add(tf.mul(x0, b), tf.mul(noise, r)), [0, 3, 1, 2])
      })
    const start = performance.now()
    for (let step = 1; step < steps; step++) move().dispose()
    const moved = move()
    const milliseconds = performance.now() - start
    const sample = Array.from(moved.dataSync())
    tf.dispose([image, told, classes, moved])
    return { sample, milliseconds }
  },
})
