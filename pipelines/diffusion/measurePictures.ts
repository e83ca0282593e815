import type { Engine } from '../../src/engine/engine.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type Shape, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type Ceilings, type Timed, underCeilings } from '../ceilings.ts'

/** Work on so many pictures. */
export interface MeasuredPictures extends Timed {
  readonly pictures: number
}

const COUNTS = [1, 16]

/** Work on one picture of no meaning (channels, height, width) and on 16, and what the machine's ceilings allow. A second. */
export const measurePictures = async (
  ceilings: Ceilings,
  engine: Engine,
  planes: Shape,
  work: (pictures: Tensor, count: number) => Tensor,
): Promise<readonly MeasuredPictures[]> => {
  const measured: MeasuredPictures[] = []
  for (const pictures of COUNTS) {
    const shape = [pictures, ...planes]
    const x = tensor(engine, shape, new Float32Array(shape.reduce((size, length) => size * length, 1)))
    measured.push({ pictures, ...(await underCeilings(ceilings, engine, () => scope(() => work(x, pictures)))) })
    x.release()
  }
  return measured
}
