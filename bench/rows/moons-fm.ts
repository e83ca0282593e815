import { moonsRow } from '../moonsRow.ts'

export const row = moonsRow({
  name: 'moons-fm',
  title: '8 gaussians to two moons, flow matching',
  coupling: 'independent',
  published: 0.12,
  band: 0.17,
})
