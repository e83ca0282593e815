/** The vectors of PyTorch for the kernels built here. */
import test from 'tape'
import { context, type Named } from '../../src/context.ts'
import { adamW } from '../../src/kernel/adamW.ts'
import { add, scale } from '../../src/kernel/binary.ts'
import { zeros } from '../../src/kernel/fill.ts'
import { permute } from '../../src/kernel/permute.ts'
import { broadcastTo, total } from '../../src/kernel/reduce.ts'
import { concat, pad, slice } from '../../src/kernel/slice.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { distance, golden, ROUNDINGS } from '../golden/torchVectors.ts'
import { activationOperator, attentionOperator, crossEntropyOperator, layerNormOperator } from './operators.ts'

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
    const [next] = adamW([{ firstMoment, secondMoment, gradient, parameter, weightDecay: 0.1 }], {
      rate: 0.01,
      beta1,
      beta2,
      epsilon: 1e-8,
      correction1: 1 - beta1 ** step,
      correction2: 1 - beta2 ** step,
    })
    if (next === undefined) return []
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
