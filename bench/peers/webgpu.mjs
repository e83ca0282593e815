// `navigator.gpu` in Node, for libraries that expect a browser's: Dawn, from the package that fluxion uses.
import { need } from './answer.mjs'

const { create, globals } = await need('webgpu')
const { userAgent = 'Node' } = globalThis.navigator ?? {}
// Dawn computes only while somebody holds it: `navigator` does.
Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]), userAgent }, configurable: true })
Object.assign(globalThis, globals)
