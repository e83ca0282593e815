import type { Command } from 'commander'
import type { Io } from './io.ts'
export const addEvaluate = (_p: Command, _io: Io): void => {}
