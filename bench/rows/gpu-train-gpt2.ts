/** One training step of GPT-2's 124M shape without biases (nanoGPT's) on WebGPU, f32, beside jax-js on the same GPU and the floor of its FLOPs. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { gpuRoofline, openGpu } from '../gpu.ts'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptTrainer } from '../ours.ts'
import { numberIn, numbersIn } from '../peer.ts'
import { figure, percent } from '../results.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'
import { CHECKED_STEPS, LOSS_TOLERANCE, type TrainingBatches, trainingBatches } from '../trainingRow.ts'
import { type GptShape, gpt2, gptWeights, writeWeights } from '../weights.ts'

const RATE = 1e-3
const TRIAL: GptShape = { vocabulary: 65, block: 16, layers: 2, heads: 2, width: 32 }

/** Multiply-adds count twice; backward costs twice forward; attention sees half of all pairs (Kaplan et al., arXiv 2001.08361). */
const stepFlops = ({ vocabulary, block, layers, width }: GptShape, batch: number): number =>
  3 * batch * block * (2 * (12 * layers * width ** 2 + vocabulary * width) + 2 * layers * block * width)

export const row: Row = {
  name: 'gpu-train-gpt2',
  title: 'training step on WebGPU, GPT-2 124M, block 1024, batch 2',
  unit: 'ms',
  target: 'ratio >= 1',
  peer: 'jax-js on WebGPU',
  run: async tools => {
    const { engine, trial } = await openGpu()
    const shape: GptShape = trial === '' ? { ...gpt2, bias: false } : TRIAL
    const batch = 2
    const weights = gptWeights(shape)
    const file = join(tools.cache, 'gpu-train-gpt2.safetensors')
    const trainer = gptTrainer(shape, weights, RATE, engine)
    const { x, y } = trainingBatches(shape, { steps: 1, batch })
    const checked = trainingBatches(shape, { steps: CHECKED_STEPS, batch })
    const step = () => trainer.train(x, y)
    try {
      const { losses } = await trainer.train(checked.x, checked.y)
      tools.say('bench: gpu-train-gpt2: jax-js')
      writeWeights(file, weights)
      const peer = await orReason(tools.node('jax.mjs', 'webgpu'))
      const train = async (batches: TrainingBatches) =>
        typeof peer === 'string' ? Promise.reject(new Error(peer)) : peer.ask({ do: 'train', ...batches, rate: RATE })
      if (typeof peer !== 'string') await peer.ask({ do: 'load', weights: file, heads: shape.heads })
      const difference =
        typeof peer === 'string'
          ? null
          : checkEqual('losses', losses, numbersIn(await train(checked), 'losses'), LOSS_TOLERANCE)
      const before = { ...engine.work }
      const pairs = await alternate(
        tools.pairs,
        async () => (await step()).milliseconds,
        typeof peer === 'string' ? null : async () => numberIn(await train({ x, y }), 'milliseconds'),
      )
      const each = (what: 'submissions' | 'readbacks' | 'launches') =>
        (engine.work[what] - before[what]) / (tools.pairs + 1)
      const value = median(pairs.ours)
      const peerValue = pairs.theirs.length === 0 ? null : median(pairs.theirs)
      const { fused, read } = await gpuRoofline(trial !== '')
      const rate = stepFlops(shape, batch) / value / 1e6
      return {
        value,
        peerValue,
        ratio: lowerIsBetter(value, peerValue),
        threads: 1,
        runs: tools.pairs,
        trial,
        note: [
          engine.adapter,
          typeof peer === 'string' ? peer : peer.version,
          `${figure(each('submissions'))} submissions, ${figure(each('readbacks'))} readbacks and ${figure(each('launches'))} kernels a step`,
          `${figure(rate)} GFLOP/s, ${percent(rate, fused)} of the ${figure(fused)} that fused multiply-adds reach`,
          ...(difference === null
            ? []
            : [`losses of ${CHECKED_STEPS} steps equal within ${difference.toExponential(0)}`]),
        ].join('; '),
        details: {
          fused,
          read,
          submissions: each('submissions'),
          readbacks: each('readbacks'),
          kernels: each('launches'),
        },
      }
    } finally {
      trainer.close()
      rmSync(file, { force: true })
      await engine.destroy()
    }
  },
}
