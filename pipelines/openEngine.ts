import { existsSync } from 'node:fs'
import { type EngineName, type Opened, type OpenOptions, openEngine as openAnywhere } from '../src/engine/open.ts'

/** What drivers make for a GPU: Mesa and most others, NVIDIA, Windows' Linux. */
const DEVICES = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg']

/** Why no GPU need be looked for, or nothing where one may be. Loading drivers only to hear so takes longer than opening the wasm engine. */
const noGpu = (): string =>
  process.platform === 'linux' && !DEVICES.some(path => existsSync(path)) ? 'no GPU in /dev' : ''

/** `openEngine` of `fluxion` for Node: where the machine has no GPU, `auto` loads no driver, which would complain on stderr. */
export const openEngine = (name: EngineName, options: OpenOptions = {}): Promise<Opened> =>
  openAnywhere(name, { noGpu: noGpu(), ...options })
