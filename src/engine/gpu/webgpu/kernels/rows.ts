/** Kernels over rows, one launch each: softmax, the normalisations and cross-entropy, with the sums that their formulas share. */
import type { Storage } from '../../../../tensor/storage.ts'
import type { CrossEntropySizes, Fused, Primitives, Rows } from '../../../engine.ts'
import type { WgslLauncher } from '../launcher.ts'
import { WORKGROUP } from '../program.ts'
import { along, FOLDS, LOWEST, ROW } from './fold.ts'

type Names =
  | 'softmax'
  | 'softmaxPullback'
  | 'layerNorm'
  | 'layerNormPullback'
  | 'rmsNorm'
  | 'rmsNormPullback'
  | 'crossEntropy'

/** Operands that are there. */
const present = (operands: Readonly<Record<string, Storage | null>>) => {
  const given = Object.entries(operands).flatMap(([name, storage]) => (storage === null ? [] : [{ name, storage }]))
  return { names: given.map(({ name }) => name), storages: given.map(({ storage }) => storage) }
}

export const rowKernels = (
  launcher: WgslLauncher,
  { reduce }: Pick<Primitives, 'reduce'>,
): Required<Pick<Fused, Names>> => {
  const { dispatch, temporary } = launcher
  /** A workgroup a row, `row` its first element. */
  const perRow = (
    key: string,
    { rows, columns }: Rows,
    body: string,
    reads: Readonly<Record<string, Storage | null>>,
    writes: Readonly<Record<string, Storage | null>>,
    reals: Readonly<Record<string, number>> = {},
    host: readonly Float32Array[] = [],
  ): void => {
    const [from, to] = [present(reads), present(writes)]
    dispatch(
      `${key} ${from.names} ${to.names}`,
      () => ({
        reads: [...from.names, ...host.map((_, i) => `host${i}`)],
        writes: to.names,
        integers: ['rows', 'columns'],
        reals: Object.keys(reals),
        declarations: FOLDS,
        body: `${ROW}\n${body}`,
      }),
      rows,
      { reads: [...from.storages, ...host], writes: to.storages, scalars: [rows, columns, ...Object.values(reals)] },
    )
  }

  const forward = (
    out: Storage,
    mean: Storage | null,
    deviation: Storage,
    x: Storage,
    weight: Storage | null,
    bias: Storage | null,
    epsilon: number,
    size: Rows,
  ): void =>
    perRow(
      mean === null ? 'rmsNorm' : 'layerNorm',
      size,
      `var sum = 0.0;
${mean === null ? 'let m = 0.0;' : `${along('sum += x[row + k];')} let m = total(lane, sum) / f32(p.columns); sum = 0.0;`}
${along('let v = x[row + k] - m; sum += v * v;')}
let r = 1.0 / sqrt(total(lane, sum) / f32(p.columns) + p.epsilon);
${along(`out[row + k] = (x[row + k] - m) * r${weight === null ? '' : ' * weight[k]'}${bias === null ? '' : ' + bias[k]'};`)}
if (lane == 0u) { deviation[group] = r; ${mean === null ? '' : 'mean[group] = m;'} }`,
      { x, weight, bias },
      { out, deviation, mean },
      { epsilon },
    )

  /** Sums over rows of `term` for each column, in two stages: pieces of rows, then the pieces. */
  const columnSum = (
    key: string,
    out: Storage,
    term: string,
    reads: Readonly<Record<string, Storage | null>>,
    { rows, columns }: Rows,
  ): void => {
    const piece = Math.max(16, Math.ceil(Math.sqrt(rows)))
    const pieces = Math.ceil(rows / piece)
    const blocks = Math.ceil(columns / WORKGROUP)
    const from = present(reads)
    temporary([pieces * columns], partial => {
      dispatch(
        `${key} ${from.names}`,
        () => ({
          reads: from.names,
          writes: ['out'],
          integers: ['rows', 'columns', 'pieces', 'piece', 'blocks'],
          body: `let k = group % p.blocks * ${WORKGROUP}u + lane; let part = group / p.blocks;
if (k >= p.columns || part >= p.pieces) { return; }
var sum = 0.0;
for (var r = part * p.piece; r < min((part + 1u) * p.piece, p.rows); r++) { let i = r * p.columns + k; sum += ${term}; }
out[part * p.columns + k] = sum;`,
        }),
        pieces * blocks,
        { reads: from.storages, writes: [partial], scalars: [rows, columns, pieces, piece, blocks] },
      )
      reduce('sum', out, partial, { outer: 1, length: pieces, inner: columns })
    })
  }

  const pullback = (
    dx: Storage,
    dWeight: Storage | null,
    dBias: Storage | null,
    dy: Storage,
    x: Storage,
    weight: Storage | null,
    mean: Storage | null,
    deviation: Storage,
    size: Rows,
  ): void => {
    const name = mean === null ? 'rmsNormPullback' : 'layerNormPullback'
    const g = `dy[row + k]${weight === null ? '' : ' * weight[k]'}`
    perRow(
      name,
      size,
      `let m = ${mean === null ? '0.0' : 'mean[group]'}; let r = deviation[group];
var s = 0.0; var t = 0.0;
${along(`let g = ${g}; s += g * (x[row + k] - m) * r; t += g;`)}
let normal = total(lane, s) / f32(p.columns);
${mean === null ? 'let average = 0.0;' : `let average = total(lane, t) / f32(p.columns);`}
${along(`dx[row + k] = r * (${g} - (x[row + k] - m) * r * normal - average);`)}`,
      { dy, x, deviation, mean, weight },
      { dx },
    )
    const centred = mean === null ? 'x[i]' : '(x[i] - mean[r])'
    if (dWeight !== null)
      columnSum(`${name} weight`, dWeight, `dy[i] * ${centred} * deviation[r]`, { dy, x, deviation, mean }, size)
    if (dBias !== null) columnSum(`${name} bias`, dBias, 'dy[i]', { dy }, size)
  }

  return {
    softmax: (out, x, size) =>
      perRow(
        'softmax',
        size,
        `var m = -3e38;
${along('m = max(m, x[row + k]);')}
m = largest(lane, m);
var s = 0.0;
${along('s += exp(x[row + k] - m);')}
s = max(total(lane, s), 1.0);
${along('out[row + k] = exp(x[row + k] - m) / s;')}`,
        { x },
        { out },
      ),
    softmaxPullback: (dx, dy, y, size) =>
      perRow(
        'softmaxPullback',
        size,
        `var s = 0.0;
${along('s += dy[row + k] * y[row + k];')}
s = total(lane, s);
${along('dx[row + k] = y[row + k] * (dy[row + k] - s);')}`,
        { dy, y },
        { dx },
      ),
    layerNorm: forward,
    layerNormPullback: pullback,
    rmsNorm: (out, deviation, x, weight, epsilon, size) =>
      forward(out, null, deviation, x, weight, null, epsilon, size),
    rmsNormPullback: (dx, dWeight, dy, x, weight, deviation, size) =>
      pullback(dx, dWeight, null, dy, x, weight, null, deviation, size),
    crossEntropy: (losses, logSumExp, logits, sizes) => {
      const { columns, labelSmoothing } = sizes
      perRow(
        `crossEntropy ${labelSmoothing > 0}`,
        sizes,
        `var m = ${LOWEST};
${along('m = max(m, logits[row + k]);')}
m = largest(lane, m);
var s = 0.0; ${labelSmoothing > 0 ? 'var z = 0.0;' : ''}
${along(`s += exp(logits[row + k] - m);${labelSmoothing > 0 ? ' z += logits[row + k];' : ''}`)}
let l = m + log(total(lane, s));
${labelSmoothing > 0 ? 'let spread = p.spread * total(lane, z);' : 'let spread = 0.0;'}
if (lane == 0u) {
  logSumExp[group] = l;
  losses[group] = 0.0;
  if (host0[group] >= 0.0) { losses[group] = l - p.kept * logits[row + u32(host0[group])] - spread; }
}`,
        { logits },
        { losses, logSumExp },
        { kept: 1 - labelSmoothing, spread: labelSmoothing / columns },
        [targetsOf(sizes)],
      )
    },
  }
}

/** -1 where a row is ignored. */
const targetsOf = ({ targets, ignoreIndex }: CrossEntropySizes): Float32Array =>
  Float32Array.from(targets, target => (target === ignoreIndex ? -1 : target))
