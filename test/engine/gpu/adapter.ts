/**
 * A WebGPU adapter for tests: a GPU where there is one, else SwiftShader, which Debian's chromium carries: right, and about 0.2 GFLOP/s, so never
 * for timings.
 */
import { existsSync } from 'node:fs'
import { type FoundAdapter, findAdapter } from '../../../src/engine/gpu/webgpu/adapter.ts'

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json'

/** The adapter, or why there is none. Vulkan's loader reads the variable when the first adapter is asked for. */
export const testAdapter = (): Promise<FoundAdapter | string> => {
  if (existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES ??= SWIFTSHADER
  return findAdapter()
}
