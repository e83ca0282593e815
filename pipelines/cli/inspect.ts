import type { Command } from 'commander'
import type { Io } from './io.ts'
export const addInspect = (_p: Command, _io: Io): void => {}
