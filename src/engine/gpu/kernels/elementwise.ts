/**
 * One cell out of one cell of each operand.
 *
 * erf is the rational minimax x P(x²) / Q(x²) on |x| <= 4 of Eigen's `generic_fast_erf_float` (about 3e-7 of error in f32).
 * tanh is clamped where it is 1 in f32: some GPUs overflow in it. sin and cos are Cephes' `sinf` (Cody-Waite reduction by π/2 in three
 * parts, then a polynomial): WGSL promises its own to 2^-11 only.
 */
import type { BinaryOp, Broadcast, Primitives, UnaryOp } from '../../primitives.ts'
import type { Launcher } from '../launcher.ts'
import { gridOf, stridedIndex } from '../text.ts'

/** Statements that leave the sigmoid of `v` in `s`; no exp overflows, which WGSL leaves open. */
export const SIGMOID = 'const w = Math.exp(-Math.abs(v)); let s = 1 / (1 + w); if (v < 0) { s = w * s; }'

export const TANH = 'Math.tanh(Math.min(Math.max(v, -20.5), 20.5))'

/** Statements that leave erf of `v` in `e`. */
export const ERF = `const c = Math.min(Math.max(v, -4.1), 4.1); const s = c * c;
const p = ((((((-2.72614225801306e-10 * s + 2.77068142495902e-08) * s - 2.10102402082508e-06) * s - 5.69250639462346e-05) * s
  - 7.34990630326855e-04) * s - 2.95459980854025e-03) * s - 1.60960333262415e-02) * c;
const q = (((-1.45660718464996e-05 * s - 2.13374055278905e-04) * s - 1.68282697438203e-03) * s - 7.37332916720468e-03) * s - 1.42647390514189e-02;
const e = Math.min(Math.max(p / q, -1.0), 1.0);`

/** sin(v + quarters π/2). */
const circular = (
  quarters: 0 | 1,
): string => `const k = Math.floor(v * ${2 / Math.PI} + 0.5); const r = ((v - k * 1.5703125) - k * 4.837512969970703125e-4) - k * 7.54978995489188216e-8;
const z = r * r; const s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
const c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
const n = k + ${quarters}; const q = n - 4 * Math.floor(n * 0.25);
if (q < 0.5) { return s; } if (q < 1.5) { return c; } if (q < 2.5) { return -s; } return -c;`

/** Statements over v = x[i]. */
const UNARY: Readonly<Record<UnaryOp, string>> = {
  negate: 'return -v;',
  exp: 'return Math.exp(v);',
  log: 'return Math.log(v);',
  sqrt: 'return Math.sqrt(v);',
  reciprocalSqrt: 'return 1 / Math.sqrt(v);',
  reciprocal: 'return 1 / v;',
  tanh: `return ${TANH};`,
  sigmoid: `${SIGMOID} return s;`,
  erf: `${ERF} return e;`,
  relu: 'return Math.max(v, 0);',
  square: 'return v * v;',
  abs: 'return Math.abs(v);',
  sin: circular(0),
  cos: circular(1),
  step: 'if (v > 0) { return 1; } return 0;',
  round: `const f = Math.floor(v); const d = v - f;
if (d < 0.5) { return f; } if (d > 0.5) { return f + 1; } return f + (f - 2 * Math.floor(f * 0.5));`,
}

const BINARY: Readonly<Record<BinaryOp, string>> = {
  add: 'return v + w;',
  subtract: 'return v - w;',
  multiply: 'return v * w;',
  divide: 'return v / w;',
  maximum: 'return Math.max(v, w);',
  minimum: 'return Math.min(v, w);',
  greaterEqual: 'if (v >= w) { return 1; } return 0;',
}

export const elementwise = ({
  launch,
  alias,
}: Launcher): Pick<Primitives, 'fill' | 'copy' | 'unary' | 'binary' | 'accumulate'> => ({
  fill: (out, value, size) => {
    launch(out, 'fill', [size], () => ({ reals: ['value'], body: 'return value;' }), [], [value])
  },
  copy: (out, x, size) => {
    if (x.size === size) alias(out, x)
    else launch(out, 'copy', [size], () => ({ arrays: ['x'], body: 'return x[this.thread.x];' }), [x])
  },
  unary: (op, out, x, size) => {
    launch(out, op, [size], () => ({ arrays: ['x'], body: `const v = x[this.thread.x]; ${UNARY[op]}` }), [x])
  },
  binary: (op, out, x, y, { shape, x: xs, y: ys }: Broadcast) => {
    launch(
      out,
      `${op} ${xs} ${ys} ${shape}`,
      gridOf(shape),
      () => ({
        arrays: ['x', 'y'],
        body: `const v = x[${stridedIndex(shape, xs)}]; const w = y[${stridedIndex(shape, ys)}]; ${BINARY[op]}`,
      }),
      [x, y],
    )
  },
  accumulate: (out, x, scale, size) => {
    launch(
      out,
      'accumulate',
      [size],
      () => ({
        arrays: ['sum', 'x'],
        reals: ['scale'],
        body: 'return sum[this.thread.x] + x[this.thread.x] * scale;',
      }),
      [out, x],
      [scale],
    )
  },
})
