/** A process for checkpoint.test.ts: resumes from the latest checkpoint in a folder and writes the next ones until it is killed. */
import * as t from 'io-ts'
import { readLatest, writeCheckpoint } from '../../pipelines/checkpoint.ts'
import { f32 } from '../../src/format/hostTensor.ts'

const [out = '', elements = '1'] = process.argv.slice(2)
const State = t.type({ mark: t.number })
const filled = (value: number) =>
  new Map([['w', f32([Number(elements)], new Float32Array(Number(elements)).fill(value))]])

for (let step = (readLatest(out, State)?.step ?? 0) + 1; ; step++) {
  writeCheckpoint(out, { step, tensors: filled(step), optimizer: filled(-step), state: { mark: 2 * step } }, State)
}
