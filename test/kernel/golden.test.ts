/** Values and gradients of PyTorch 1.13 (f32) for the kernels built here. Their rounding is PyTorch's: within 32 units of 2^-24 of the largest number. */
import { readFileSync } from 'node:fs'
import { isLeft } from 'fp-ts/lib/Either.js'
import test, { type Test } from 'tape'
import { context, type Named } from '../../src/context.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { floats, type HostTensors } from '../../src/format/hostTensor.ts'
import { hostTensors, readSafetensors } from '../../src/format/safetensors.ts'
import { adamW } from '../../src/kernel/adamW.ts'
import { add, scale } from '../../src/kernel/binary.ts'
import { zeros } from '../../src/kernel/fill.ts'
import { permute } from '../../src/kernel/permute.ts'
import { broadcastTo, total } from '../../src/kernel/reduce.ts'
import { concat, pad, slice } from '../../src/kernel/slice.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { withShared } from '../shared.ts'
import { activationOperator, attentionOperator, crossEntropyOperator, layerNormOperator } from './operators.ts'

const ROUNDINGS = 32 * 2 ** -24

/** The largest difference over the largest number expected. */
const distance = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  const [x, y] = [Array.from(found), Array.from(expected)]
  const worst = x.reduce((largest, a, i) => Math.max(largest, Math.abs(a - (y[i] ?? Number.NaN))), 0)
  return worst / y.reduce((largest, b) => Math.max(largest, Math.abs(b)), 0)
}

interface Golden {
  /** A tensor of a case on the engine. */
  readonly at: (name: string) => Tensor
  readonly numbers: (name: string) => Float32Array
}

/** Tensors and the vectors they should be. */
type Pairs = readonly (readonly [Tensor | undefined, string])[]

const golden = (name: string, check: (file: Golden) => Pairs): void => {
  test(`golden: ${name} as PyTorch`, t => {
    withShared(t, 'data/vectors/torch.safetensors', path => {
      const read = readSafetensors(new Uint8Array(readFileSync(path)), path)
      if (isLeft(read)) throw read.left
      const file = hostTensors(read.right)
      for (const engine of [referenceEngine(), wasmEngine()])
        scope(() => {
          const pairs = check({
            at: key => tensor(engine, found(file, key).shape, floats(found(file, key))),
            numbers: key => floats(found(file, key)),
          })
          for (const [x, key] of pairs) compare(t, engine.name, x, file, key)
        })
    })
    t.end()
  })
}

const found = (file: HostTensors, key: string) => {
  const x = file.get(key)
  if (x === undefined) throw new RangeError(`no vector ${key}`)
  return x
}

const compare = (t: Test, engine: string, x: Tensor | undefined, file: HostTensors, key: string): void => {
  const off = x === undefined ? Number.NaN : distance(readNow(x), floats(found(file, key)))
  t.ok(off <= ROUNDINGS, `${engine} ${key}: ${(off / 2 ** -24).toFixed(1)} u off`)
}

golden('layerNorm', ({ at }) => {
  const parameters: Named = { weight: at('layer_norm/weight'), bias: at('layer_norm/bias') }
  const y = layerNormOperator(true, true)(context(parameters), at('layer_norm/x'))
  const [gradients, dx] = y.pullback(at('layer_norm/dy'))
  return [
    [y.value, 'layer_norm/y'],
    [dx, 'layer_norm/grad.x'],
    [gradients.weight, 'layer_norm/grad.weight'],
    [gradients.bias, 'layer_norm/grad.bias'],
  ]
})

for (const kind of ['gelu', 'silu'] as const)
  golden(kind, ({ at }) => {
    const y = activationOperator(kind)(context({}), at(`${kind}/x`))
    return [
      [y.value, `${kind}/y`],
      [y.pullback(at(`${kind}/dy`))[1], `${kind}/grad.x`],
    ]
  })

/** (batch, heads, time, d) as (batch, time, heads · width), d padded with zeros to `width`. */
const merged = (x: Tensor, width: number): Tensor => {
  const [batch = 0, heads = 0, time = 0] = x.shape
  return permute(pad(x, 3, 0, width), [0, 2, 1, 3]).share([batch, time, heads * width])
}

for (const name of ['attention', 'attention_causal'])
  golden(name, ({ at }) => {
    // Queries and keys are narrower than values in one case: zeros beside them change no score.
    const [q, v] = [at(`${name}/q`), at(`${name}/v`)]
    const [, heads = 0, , narrow = 0] = q.shape
    const width = v.shape[3] ?? 0
    const options = { heads, causal: name === 'attention_causal', scale: 1 / Math.sqrt(narrow) }
    const y = attentionOperator(options)(context({}), [
      merged(q, width),
      merged(at(`${name}/k`), width),
      merged(v, width),
    ])
    const [, gradients] = y.pullback(merged(at(`${name}/dy`), width))
    const apart = (x: Tensor, like: Tensor, d: number): Tensor => {
      const [batch = 0, h = 0, time = 0] = like.shape
      const split = permute(x.share([batch, time, h, width]), [0, 2, 1, 3])
      return slice(split, 3, 0, d)
    }
    return [
      [apart(y.value, q, width), `${name}/y`],
      [apart(gradients[0], q, narrow), `${name}/grad.q`],
      [apart(gradients[1], v, narrow), `${name}/grad.k`],
      [apart(gradients[2], v, width), `${name}/grad.v`],
    ]
  })

golden('cross-entropy with ignored rows and label smoothing', ({ at, numbers }) => {
  const targets = tokens(numbers('cross_entropy_ignore_smooth/target'))
  const x = at('cross_entropy_ignore_smooth/x')
  const ignoreIndex = Array.from(targets.ids).find(id => id < 0) ?? -100
  const y = crossEntropyOperator(targets, { ignoreIndex, labelSmoothing: 0.1 })(context({}), x)
  // PyTorch's mean is over the rows that count.
  const share = 1 / targets.ids.filter(id => id !== ignoreIndex).length
  const mean = scale(total(y.value), share).share([1])
  const d = at('cross_entropy_ignore_smooth/dy')
  return [
    [mean, 'cross_entropy_ignore_smooth/y'],
    [y.pullback(scale(broadcastTo(d, y.value.shape), share))[1], 'cross_entropy_ignore_smooth/grad.x'],
  ]
})

golden('AdamW, five steps', ({ at }) => {
  // PyTorch's defaults but for rate 0.01 and decay 0.1.
  const shape = at('optim_adamw/p0').shape
  const [beta1, beta2] = [0.9, 0.999]
  let parameter = at('optim_adamw/p0')
  let [firstMoment, secondMoment] = [zeros(parameter.engine, shape), zeros(parameter.engine, shape)]
  const steps: Tensor[] = []
  for (let step = 1; step <= 5; step++) {
    const gradient = slice(at('optim_adamw/gradients'), 0, step - 1, 1).share(shape)
    const next = adamW(firstMoment, secondMoment, gradient, parameter, {
      rate: 0.01,
      beta1,
      beta2,
      epsilon: 1e-8,
      weightDecay: 0.1,
      correction1: 1 - beta1 ** step,
      correction2: 1 - beta2 ** step,
    })
    ;({ firstMoment, secondMoment } = next)
    parameter = add(parameter, next.update)
    steps.push(parameter.share([1, ...shape]))
  }
  const [first, ...rest] = steps
  return first === undefined ? [] : [[concat([first, ...rest], 0), 'optim_adamw/p']]
})

test('golden negative control: a number a thousandth off is beyond the rounding', t => {
  t.ok(distance([1, 2.002], [1, 2]) > ROUNDINGS)
  t.end()
})
