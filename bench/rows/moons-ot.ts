import { moonsRow } from '../moonsRow.ts'

export const row = moonsRow({
  name: 'moons-ot',
  title: '8 gaussians to two moons, flow matching on optimally paired batches',
  coupling: 'optimal',
  published: 0.05,
  band: 0.09,
})
