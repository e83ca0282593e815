/** One training step of nanoGPT's CPU configuration. */
import { trainingRow } from '../trainingRow.ts'
import { nanogptCpu } from '../weights.ts'

export const row = trainingRow({
  name: 'train-nanogpt-cpu',
  title: 'training step, 4 layers x 128, block 64, batch 12',
  target: 'ratio >= 1',
  shape: nanogptCpu,
  batch: 12,
  steps: 5,
  peerThreads: [1, 2],
})
