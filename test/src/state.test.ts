import fc from 'fast-check'
import * as t from 'io-ts'
import test from 'tape'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { InputError } from '../../src/errors.ts'
import { flatten, namedCodec, unflatten } from '../../src/state.ts'
import { readNow, Tensor, tensor } from '../../src/tensor/tensor.ts'
import { breaks, holds } from '../property.ts'

const engine = referenceEngine()
const keys = fc.oneof(fc.string(), fc.constantFrom('tensor', 'record', 'number', 'a/b', 'a~1b', 'h.0.attn'))
const { state: states } = fc.letrec<{ state: unknown }>(tie => ({
  state: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 'NaN', -0, Number.NaN, Infinity, -Infinity),
    fc.double(),
    fc.string(),
    fc.array(fc.double(), { maxLength: 3 }).map(values => tensor(engine, [values.length], values)),
    fc.array(tie('state'), { maxLength: 3 }),
    fc.array(fc.tuple(keys, tie('state')), { maxLength: 3 }).map(entries => Object.fromEntries(entries)),
  ),
}))

const same = (x: unknown, y: unknown): boolean => {
  if (x instanceof Tensor && y instanceof Tensor)
    return x.shape.join() === y.shape.join() && same(Array.from(readNow(x)), Array.from(readNow(y)))
  if (Array.isArray(x) && Array.isArray(y)) return x.length === y.length && x.every((item, i) => same(item, y[i]))
  if (typeof x === 'object' && typeof y === 'object' && x !== null && y !== null) {
    const [xs, ys] = [Object.entries(x), Object.entries(y)]
    return (
      Array.isArray(x) === Array.isArray(y) &&
      xs.length === ys.length &&
      xs.every(([key, value], i) => key === ys[i][0] && same(value, ys[i][1]))
    )
  }
  return Object.is(x, y)
}

const roundTrip = (state: unknown): unknown => {
  const { tensors, plain } = flatten(state)
  const decoded = unflatten(t.unknown, tensors, JSON.parse(JSON.stringify(plain)), 'state.json')
  return decoded._tag === 'Right' ? decoded.right : decoded.left
}

test('L11 states: unflatten(flatten(state)) is the state, bit for bit, through JSON text', x => {
  holds(
    x,
    'round trip',
    fc.property(states, state => same(roundTrip(state), state)),
    { numRuns: 300 },
  )
  breaks(
    x,
    'JSON alone loses -0 and NaN',
    fc.property(fc.constantFrom(0, -0, Number.NaN), state => same(JSON.parse(JSON.stringify([state])), [state])),
  )
  const { tensors, plain } = flatten({ m: { 'h.0/w~': tensor(engine, [1], [1]) }, step: 3 })
  x.deepEqual(Object.keys(tensors), ['m/h.0~1w~0'], 'tensors are named by their paths')
  x.deepEqual(plain, { record: { m: { record: { 'h.0/w~': { tensor: 'm/h.0~1w~0' } } }, step: 3 } })
  x.end()
})

test('states: what does not fit is refused, and the error says where', x => {
  const w = tensor(engine, [1], [1])
  const codec = t.type({ m: namedCodec })
  const refuse = (tensors: Readonly<Record<string, Tensor>>, plain: unknown, message: RegExp) => {
    const decoded = unflatten(codec, tensors, plain, 'state.json')
    const found = decoded._tag === 'Left' ? decoded.left.message : 'accepted'
    x.ok(decoded._tag === 'Left' && decoded.left instanceof InputError && message.test(found), found)
  }
  const of = (m: unknown) => ({ record: { m } })
  refuse({}, of({ record: { w: { tensor: 'm/w' } } }), /state.json: m\/w: expected a tensor named m\/w/)
  refuse({ w }, of({ record: { a: { tensor: 'w' }, b: { tensor: 'w' } } }), /m\/b: expected a tensor named w, once/)
  refuse({ w }, of({ record: {} }), /every tensor to belong to the state; found w left over/)
  refuse({}, of({ table: {} }), /m: expected a record, a tensor or a number/)
  refuse({}, of({ number: '7' }), /m: expected a record, a tensor or a number/)
  refuse({}, of({ record: { w: 3 } }), /m.w: expected a tensor, found 3/)
  refuse({}, null, /state.json: expected/)
  for (const bad of [undefined, () => 0, new Map(), 1n, new Float32Array(1)])
    x.throws(() => flatten({ bad }), /state bad: expected plain data or a tensor/)
  x.end()
})
