/**
 * f(x) and f'(x), one kernel each. gelu(x) = x Φ(x) with Φ(x) = (1 + erf(x / √2)) / 2; geluTanh is its tanh approximation
 * (Hendrycks and Gimpel, arXiv:1606.08415); silu(x) = x sigmoid(x).
 */

import type { Storage } from '../../../tensor/storage.ts'
import type { Activation, Fused } from '../../fused.ts'
import type { Launcher } from '../launcher.ts'
import { ERF, SIGMOID, TANH } from './elementwise.ts'

const SIGMOID_OF_U = `const v = u; ${SIGMOID}`
/** erf(u / √2) in `e`, tanh(√(2/π) (u + 0.044715 u³)) in `t`. */
const ERF_OF_U = `const v = u * ${Math.SQRT1_2}; ${ERF}`
const TANH_OF_U = `const v = ${Math.sqrt(2 / Math.PI)} * (u + 0.044715 * u * u * u); const t = ${TANH};`
const TANH_ITSELF = `const v = u; const t = ${TANH};`

/** Statements over u = x[i] that return f(u). */
const VALUE: Readonly<Record<Activation, string>> = {
  relu: 'return Math.max(u, 0);',
  gelu: `${ERF_OF_U} return 0.5 * u * (1 + e);`,
  geluTanh: `${TANH_OF_U} return 0.5 * u * (1 + t);`,
  silu: `${SIGMOID_OF_U} return u * s;`,
  tanh: `${TANH_ITSELF} return t;`,
  sigmoid: `${SIGMOID_OF_U} return s;`,
}

/** Statements over u = x[i] that return f'(u). */
const SLOPE: Readonly<Record<Activation, string>> = {
  relu: 'if (u > 0) { return 1; } return 0;',
  gelu: `${ERF_OF_U} return 0.5 * (1 + e) + u * ${1 / Math.sqrt(2 * Math.PI)} * Math.exp(-0.5 * u * u);`,
  // t is -1 or 1 long before u u would be infinite.
  geluTanh: `${TANH_OF_U} const w = Math.max(Math.min(u, 1e9), -1e9); return 0.5 * (1 + t) + 0.5 * w * (1 - t * t) * ${Math.sqrt(2 / Math.PI)} * (1 + ${3 * 0.044715} * w * w);`,
  silu: `${SIGMOID_OF_U} return s * (1 + u * (1 - s));`,
  tanh: `${TANH_ITSELF} return 1 - t * t;`,
  sigmoid: `${SIGMOID_OF_U} return s * (1 - s);`,
}

export const activation = ({ launch }: Launcher): Required<Pick<Fused, 'activation' | 'activationWithSlope'>> => {
  const map = (name: string, statements: string, out: Storage, x: Storage, size: number): void =>
    launch(out, name, [size], () => ({ arrays: ['x'], body: `const u = x[this.thread.x]; ${statements}` }), [x])
  return {
    activation: (kind, out, x, size) => map(`activation ${kind}`, VALUE[kind], out, x, size),
    activationWithSlope: (kind, out, slope, x, size) => {
      map(`activation ${kind}`, VALUE[kind], out, x, size)
      map(`slope ${kind}`, SLOPE[kind], slope, x, size)
    },
  }
}
