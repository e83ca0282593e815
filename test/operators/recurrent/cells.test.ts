/** LSTM and GRU cells: laws D3, D4 and L9, and a sequence through them as PyTorch's layers of one cell. */
import test from 'tape'
import { gruCell } from '../../../operators/recurrent/gruCell.ts'
import { type Features, lstmCell } from '../../../operators/recurrent/lstmCell.ts'
import { context, type Named } from '../../../src/context.ts'
import { add } from '../../../src/kernel/binary.ts'
import { zeros } from '../../../src/kernel/fill.ts'
import { concat, slice } from '../../../src/kernel/slice.ts'
import { concat as addGradients } from '../../../src/operator.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { golden } from '../../golden/torchVectors.ts'
import { within } from '../../laws/check.ts'
import { finiteDifference, pullbackTwice } from '../../laws/operator.ts'
import { close, engine, numbers, random, same } from '../support.ts'

const parameters = (gates: number): Named => ({
  weight_ih: random([gates * 4, 5], 1),
  weight_hh: random([gates * 4, 4], 2),
  bias_ih: random([gates * 4], 3),
  bias_hh: random([gates * 4], 4),
})
const features = (width: number, seed: number): Features => random([3, width], seed)

test('D3, D4 LSTM and GRU cells', t => {
  const [lstm, gru] = [lstmCell({ width: 4 }), gruCell({ width: 4 })]
  const [x, h, c] = [features(5, 5), features(4, 6), features(4, 7)]
  within(t, 'D4 LSTM', finiteDifference(lstm, context(parameters(4)), [x, h, c]))
  within(t, 'D3 LSTM', pullbackTwice(lstm, context(parameters(4)), [x, h, c]))
  within(t, 'D4 GRU', finiteDifference(gru, context(parameters(3)), [x, h]))
  within(t, 'D3 GRU', pullbackTwice(gru, context(parameters(3)), [x, h]))
  t.end()
})

/** Weights of 0 and gates of 100 (σ = 1 in f64 but for 4e-44), -100 or 0, by gate. */
const pinned = (...gates: readonly number[]): Named => ({
  weight_ih: zeros(engine, [gates.length * 4, 5]),
  weight_hh: zeros(engine, [gates.length * 4, 4]),
  bias_ih: tensor(
    engine,
    [gates.length * 4],
    gates.flatMap(gate => [gate, gate, gate, gate]),
  ),
  bias_hh: zeros(engine, [gates.length * 4]),
})

test('L9 gates', t => {
  const [x, h, c] = [features(5, 5), features(4, 6), features(4, 7)]
  const lstm = (p: Named) => scope(() => lstmCell({ width: 4 })(context(p), [x, h, c]).value.map(numbers))
  const gru = (p: Named) => scope(() => numbers(gruCell({ width: 4 })(context(p), [x, h]).value))
  t.ok(
    close(lstm(pinned(-100, 100, 5, 0))[1] ?? [], numbers(c)),
    'an LSTM that forgets nothing and takes nothing keeps its cell',
  )
  t.notOk(close(lstm(pinned(-100, 0, 5, 0))[1] ?? [], numbers(c)), 'negative control: half forgotten')
  t.ok(close(gru(pinned(0, 100, 5)), numbers(h)), 'a GRU that updates nothing keeps its state')
  t.notOk(close(gru(pinned(0, 0, 5)), numbers(h)), 'negative control: half updated')
  t.ok(
    lstm(parameters(4))[0]?.every(a => Math.abs(a) < 1),
    '|h| < 1',
  )
  t.ok(same(lstm(parameters(4))[0] ?? [], lstm(parameters(4))[0] ?? [0]), 'deterministic')
  t.end()
})

interface Steps {
  readonly outputs: readonly Tensor[]
  /** The gradients, and dx a step, from the cotangents of the outputs. */
  readonly pull: (dys: readonly Features[]) => readonly [Named, readonly Tensor[]]
}

const lstmSteps = (c: ReturnType<typeof context>, xs: readonly Features[], zero: Features): Steps => {
  const cell = lstmCell({ width: 4, suffix: '_l0' })
  let [h, state] = [zero, zero]
  const steps = xs.map(x => {
    const step = cell(c, [x, h, state])
    ;[h, state] = step.value
    return step
  })
  return {
    outputs: steps.map(step => step.value[0]),
    pull: dys => {
      let [gradients, dh, dc]: [Named, Features, Features] = [{}, zero, zero]
      const dxs = steps.map((_, i) => {
        const at = steps.length - 1 - i
        const [dy, step] = [dys[at], steps[at]]
        if (dy === undefined || step === undefined) throw new RangeError(`no step ${at}`)
        const [own, [dx, dHidden, dCell]] = step.pullback([add(dh, dy), dc])
        ;[gradients, dh, dc] = [addGradients(gradients, own), dHidden, dCell]
        return dx
      })
      return [gradients, dxs.reverse()]
    },
  }
}

const gruSteps = (suffix: string, c: ReturnType<typeof context>, xs: readonly Features[], zero: Features): Steps => {
  const cell = gruCell({ width: 4, suffix })
  let h = zero
  const steps = xs.map(x => {
    const step = cell(c, [x, h])
    h = step.value
    return step
  })
  return {
    outputs: steps.map(step => step.value),
    pull: dys => {
      let [gradients, dh]: [Named, Features] = [{}, zero]
      const dxs = steps.map((_, i) => {
        const at = steps.length - 1 - i
        const [dy, step] = [dys[at], steps[at]]
        if (dy === undefined || step === undefined) throw new RangeError(`no step ${at}`)
        const [own, [dx, dHidden]] = step.pullback(add(dh, dy))
        ;[gradients, dh] = [addGradients(gradients, own), dHidden]
        return dx
      })
      return [gradients, dxs.reverse()]
    },
  }
}

const names = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']
/** Time is the first axis of PyTorch's sequences. */
const stepsOf = (x: Tensor): Features[] =>
  Array.from({ length: x.shape[0] ?? 0 }, (_, i) => slice(x, 0, i, 1).share(x.shape.slice(1)))
const stacked = (steps: readonly Tensor[]): Tensor => {
  const [first, ...rest] = steps.map(x => x.share([1, ...x.shape]))
  if (first === undefined) throw new RangeError('no steps')
  return concat([first, ...rest], 0)
}

golden('lstm_1, step by step', ({ at }) => {
  const given = Object.fromEntries(names.map(name => [`${name}_l0`, at(`lstm_1/${name}_l0`)]))
  const { outputs, pull } = lstmSteps(context(given), stepsOf(at('lstm_1/x')), zeros(at('lstm_1/x').engine, [3, 4]))
  const [gradients, dxs] = pull(stepsOf(at('lstm_1/dy')))
  return [
    [stacked(outputs), 'lstm_1/y'],
    [stacked(dxs), 'lstm_1/grad.x'],
    ...names.map(name => [gradients[`${name}_l0`], `lstm_1/grad.${name}_l0`] as const),
  ]
})

golden('gru_1_bi, step by step in both directions', ({ at }) => {
  const suffixes = ['_l0', '_l0_reverse']
  const given = Object.fromEntries(
    suffixes.flatMap(suffix => names.map(name => [`${name}${suffix}`, at(`gru_1_bi/${name}${suffix}`)])),
  )
  const [xs, zero] = [stepsOf(at('gru_1_bi/x')), zeros<readonly ['batch', 'width']>(at('gru_1_bi/x').engine, [3, 4])]
  const dy = at('gru_1_bi/dy')
  const ahead = gruSteps('_l0', context(given), xs, zero)
  const back = gruSteps('_l0_reverse', context(given), xs.toReversed(), zero)
  const [gradients, dxs] = ahead.pull(stepsOf(slice(dy, 2, 0, 4)))
  const [gradientsBack, dxsBack] = back.pull(stepsOf(slice(dy, 2, 4, 4)).toReversed())
  return [
    [concat([stacked(ahead.outputs), stacked(back.outputs.toReversed())], 2), 'gru_1_bi/y'],
    [add(stacked(dxs), stacked(dxsBack.toReversed())), 'gru_1_bi/grad.x'],
    ...names.map(name => [gradients[`${name}_l0`], `gru_1_bi/grad.${name}_l0`] as const),
    ...names.map(name => [gradientsBack[`${name}_l0_reverse`], `gru_1_bi/grad.${name}_l0_reverse`] as const),
  ]
})
