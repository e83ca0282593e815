import { existsSync } from 'node:fs'

/** What drivers make for a GPU: Mesa and most others, NVIDIA, Windows' Linux. */
const DEVICES = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg']

/** Why no GPU need be looked for, or nothing where one may be. Loading drivers only to hear so takes longer than opening the wasm engine. */
export const noGpu = (): string =>
  process.platform === 'linux' && !DEVICES.some(path => existsSync(path)) ? 'no GPU in /dev' : ''
