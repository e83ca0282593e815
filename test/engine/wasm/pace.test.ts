import test from 'tape'
import { Pace } from '../../../src/engine/wasm/pace.ts'

const AWAKE = [200_000, 1, 0] as const
const good = { shares: 8, own: 4, threads: 2, prompt: true }

/** How many of `calls` were split when each split goes as `outcome` says. */
const splitOf = (pace: Pace, calls: number, outcome: typeof good): number => {
  let count = 0
  for (let i = 0; i < calls; i++)
    if (pace.pays(...AWAKE)) {
      count++
      pace.learn(outcome)
    }
  return count
}

test('pace: splits while it pays, hardly ever while another process holds the processor, and again afterwards', t => {
  t.equal(splitOf(new Pace(), 1000, good), 1000)
  t.equal(splitOf(new Pace(), 1000, { ...good, own: 8 }), 1000, 'nobody helped, and nobody was waited for')
  const bad: readonly (readonly [string, typeof good, number])[] = [
    ['the caller had to sleep', { ...good, prompt: false }, 40],
    ['workers ran all: they sat on the processor of the caller', { ...good, own: 0 }, 500],
  ]
  for (const [name, outcome, most] of bad) {
    const pace = new Pace()
    t.ok(splitOf(pace, 10_000, outcome) < most, name)
    splitOf(pace, 10_000, good)
    t.equal(splitOf(pace, 100, good), 100, 'afterwards')
  }
  t.end()
})

test('pace: sleeping workers are not woken for small kernels; workers that are not up are not waited for', t => {
  const pace = new Pace()
  t.notOk(pace.pays(1e9, 0, 0))
  t.notOk(pace.pays(30_000, 1, 1))
  t.ok(pace.pays(50_000, 1, 1))
  t.ok(splitOf(pace, 100, { ...good, prompt: false }) < 10, 'a short share that is late')
  t.ok(pace.looks(1e9) <= pace.looks(1e6) && pace.looks(0) > 0, 'patience is bounded')
  const long = new Pace()
  long.looks(1e7)
  t.equal(splitOf(long, 100, { ...good, prompt: false }), 100, 'long shares are waited for asleep')
  t.end()
})
