/** One training step of nanoGPT's model for a GPU, 10.7 M parameters, at a batch for a CPU. */
import { TIMES_JAVASCRIPT, trainingRow } from '../trainingRow.ts'
import { sixBy384 } from '../weights.ts'

export const row = trainingRow({
  name: 'train-6x384',
  title: 'training step, 6 layers x 384, block 256, batch 8',
  target: 'ratio >= 0.75',
  further: { [TIMES_JAVASCRIPT]: '>= 3' },
  shape: sixBy384,
  batch: 8,
  steps: 1,
  peerThreads: [1, 2],
})
