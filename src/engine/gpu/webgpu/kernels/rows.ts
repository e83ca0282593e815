/** Kernels over rows, one launch each: the normalisations and cross-entropy, with the sums that their formulas share. */
import type { Storage } from '../../../../tensor/storage.ts'
import type { CrossEntropySizes, Fused, Rows } from '../../../fused.ts'
import type { Primitives } from '../../../primitives.ts'
import type { WgslLauncher } from '../launcher.ts'
import { along, FOLDS, LOWEST } from './fold.ts'

type Names = 'layerNorm' | 'layerNormPullback' | 'rmsNorm' | 'rmsNormPullback' | 'crossEntropy'

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
        body: `if (group >= p.rows) { return; } let row = group * p.columns;\n${body}`,
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
let r = 1.0 / sqrtOf(total(lane, sum) / f32(p.columns) + p.epsilon);
${along(`out[row + k] = (x[row + k] - m) * r${weight === null ? '' : ' * weight[k]'}${bias === null ? '' : ' + bias[k]'};`)}
if (lane == 0u) { deviation[group] = r; ${mean === null ? '' : 'mean[group] = m;'} }`,
      { x, weight, bias },
      { out, deviation, mean },
      { epsilon },
    )

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
    const g = `dy[row + k]${weight === null ? '' : ' * weight[k]'}`
    const normal = mean === null ? 'x[row + k] * r' : '(x[row + k] - mean[group]) * r'
    const { rows, columns } = size
    const column = { outer: 1, length: rows, inner: columns }
    temporary([dWeight === null ? 0 : rows * columns], terms => {
      perRow(
        mean === null ? 'rmsNormPullback' : 'layerNormPullback',
        size,
        `let r = deviation[group];
var s = 0.0; var t = 0.0;
${along(`let g = ${g}; s += g * ${normal}; t += g;`)}
let inner = total(lane, s) / f32(p.columns);
${mean === null ? 'let average = 0.0;' : 'let average = total(lane, t) / f32(p.columns);'}
${along(`let n = ${normal}; dx[row + k] = r * (${g} - n * inner - average); ${dWeight === null ? '' : 'terms[row + k] = dy[row + k] * n;'}`)}`,
        { dy, x, deviation, mean, weight },
        { dx, terms: dWeight === null ? null : terms },
      )
      if (dWeight !== null) reduce('sum', dWeight, terms, column)
    })
    if (dBias !== null) reduce('sum', dBias, dy, column)
  }

  return {
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
${along('m = maxOf(m, logits[row + k]);')}
m = largest(lane, m);
var s = 0.0; ${labelSmoothing > 0 ? 'var z = 0.0;' : ''}
${along(`s += expOf(logits[row + k] - m);${labelSmoothing > 0 ? ' z += logits[row + k];' : ''}`)}
let l = m + logOf(total(lane, s));
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
