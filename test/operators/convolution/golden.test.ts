/** The vectors of PyTorch for convolutions, pools and norms over planes, gradients included. */
import { convolution2d } from '../../../operators/convolution/convolution2d.ts'
import type { Planes } from '../../../operators/convolution/planes.ts'
import { averagePool2d, maxPool2d } from '../../../operators/convolution/pool2d.ts'
import { transposedConvolution2d } from '../../../operators/convolution/transposedConvolution2d.ts'
import { batchNorm } from '../../../operators/norm/batchNorm.ts'
import { groupNorm } from '../../../operators/norm/groupNorm.ts'
import { context } from '../../../src/context.ts'
import type { Operator } from '../../../src/operator.ts'
import { golden } from '../../golden/torchVectors.ts'

const name = 'op'

/** An operator of these vectors, with a weight and a bias where it has parameters. */
const check = (vectors: string, op: Operator<Planes, Planes>, parameters: boolean): void =>
  golden(vectors, ({ at }) => {
    const names = parameters ? ['weight', 'bias'] : []
    const given = Object.fromEntries(names.map(part => [`${name}.${part}`, at(`${vectors}/${part}`)]))
    const { value, pullback } = op(context(given, { train: true }), at(`${vectors}/x`).share())
    const [gradients, dx] = pullback(at(`${vectors}/dy`).share())
    return [
      [value, `${vectors}/y`],
      [dx, `${vectors}/grad.x`],
      ...names.map(part => [gradients[`${name}.${part}`], `${vectors}/grad.${part}`] as const),
    ]
  })

check('conv2d_s1p1', convolution2d({ name, outputs: 4, kernel: 3, padding: 1 }), true)
check('conv2d_s2g2', convolution2d({ name, outputs: 6, kernel: 3, stride: 2, padding: 1, groups: 2 }), true)
check('conv_transpose2d_s2', transposedConvolution2d({ name, outputs: 3, kernel: 4, stride: 2, padding: 1 }), true)
check('avg_pool2', averagePool2d({ window: 2 }), false)
check('max_pool2', maxPool2d({ window: 2 }), false)
check('group_norm', groupNorm({ name, groups: 3 }), true)
check('batch_norm', batchNorm({ name }), true)
