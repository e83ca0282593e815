import { stateless } from './stateless.ts'

/** u = g: the unit of `chain` (law O1). */
export const identity = stateless(gradient => gradient)
