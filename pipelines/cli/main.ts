#!/usr/bin/env node
import { processIo } from './io.ts'
import { turnOnRelaxedSimd } from './relaxedSimd.ts'
import { run } from './run.ts'

turnOnRelaxedSimd()
process.exitCode = await run(process.argv.slice(2), processIo())
