/** Wires of `define` carry the axes: a wrong wire is a type error at the line of the wire. Never run. */
import { activation } from '../../operators/activation.ts'
import { scaledDotProductAttention } from '../../operators/attention/scaledDotProductAttention.ts'
import { linear } from '../../operators/linear.ts'
import { layerNorm } from '../../operators/norm/layerNorm.ts'
import { add } from '../../src/compose.ts'
import type { Cotangent } from '../../src/cotangent.ts'
import { define } from '../../src/define.ts'
import type { Operator } from '../../src/operator.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'

type Hidden = Tensor<readonly ['batch', 'time', 'width']>

const project = <To extends string>(to: To) =>
  linear({ name: to, from: 'width', to, width: 8, bias: true, layout: 'conv1d' })
const out = linear({ name: 'out', from: 'query', to: 'width', width: 8, bias: true, layout: 'conv1d' })
const attention = scaledDotProductAttention({ heads: 2, causal: true })
const norm = layerNorm({ name: 'ln', bias: true, epsilon: 1e-5 })

export const block: Operator<Hidden, Hidden> = define((at, x) => {
  const normal = at(x, norm)
  const query = at(normal, project('query'))
  const key = at(normal, project('key'))
  const value = at(normal, project('value'))
  const attended = at(at.all(query, key, value), attention)
  return at(at.both(x, at(at(attended, out), activation('gelu'))), add<Hidden>())
})

export const wrongWires: Operator<Hidden, Hidden> = define((at, x) => {
  const query = at(x, project('query'))
  const key = at(x, project('key'))
  // @ts-expect-error values are missing
  at(at.both(query, key), attention)
  // @ts-expect-error keys where queries belong
  at(at.all(key, query, at(x, project('value'))), attention)
  // @ts-expect-error `out` takes the axis 'query', not 'width'
  at(x, out)
  // @ts-expect-error a query is no residual
  at(at.both(x, query), add<Hidden>())
  return x
})

// @ts-expect-error the result has axis 'query', the operator promises 'width'
export const wrongResult: Operator<Hidden, Hidden> = define((at, x) => at(x, project('query')))

/** Cotangents mirror values: null for token ids, the pair of both for a pair. */
export const cotangents = (x: Hidden): readonly unknown[] => {
  const ofTensor: Cotangent<Hidden> = x
  const ofTokens: Cotangent<Tokens> = null
  const ofPair: Cotangent<readonly [Tokens, Hidden]> = [null, x]
  // @ts-expect-error token ids have no gradient
  const wrong: Cotangent<Tokens> = x
  return [ofTensor, ofTokens, ofPair, wrong]
}
