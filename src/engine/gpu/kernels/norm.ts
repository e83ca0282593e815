/**
 * Layer normalisation y = (x - μ) r w + b with r = 1 / √(σ² + ε) (Ba et al., arXiv:1607.06450), and y = x r w with
 * r = 1 / √(mean(x²) + ε) (Zhang and Sennrich, arXiv:1910.07467). With x̂ the normalised x and g = dy w:
 *
 *     dx = r (g - mean(g) - x̂ mean(g x̂))      rmsNorm: without mean(g)
 *     dw = Σ over rows of dy x̂,   db = Σ over rows of dy
 */
import type { Storage } from '../../../tensor/storage.ts'
import type { Fused, Rows } from '../../fused.ts'
import type { Launcher } from '../launcher.ts'
import { X, Y } from '../text.ts'

type Norms = Required<Pick<Fused, 'layerNorm' | 'layerNormPullback' | 'rmsNorm' | 'rmsNormPullback'>>

export const norm = ({ launch, temporary }: Launcher): Norms => {
  /** `mean` null: rmsNorm. Optional operands join the kernel's parameters where they are given. */
  const forward = (
    out: Storage,
    mean: Storage | null,
    deviation: Storage,
    x: Storage,
    weight: Storage | null,
    bias: Storage | null,
    epsilon: number,
    { rows, columns }: Rows,
  ): void => {
    const name = mean === null ? 'rmsNorm' : 'layerNorm'
    const given = present({ mean, weight, bias })
    const centred = (at: string, row: string): string => (mean === null ? `x[${at}]` : `(x[${at}] - mean[${row}])`)
    if (mean !== null)
      launch(
        mean,
        `${name} mean ${columns}`,
        [rows],
        () => ({
          arrays: ['x'],
          body: `let s = 0; for (let k = 0; k < ${columns}; k++) { s += x[${X} * ${columns} + k]; } return s / ${columns};`,
        }),
        [x],
      )
    launch(
      deviation,
      `${name} deviation ${columns}`,
      [rows],
      () => ({
        arrays: mean === null ? ['x'] : ['x', 'mean'],
        reals: ['epsilon'],
        body: `let s = 0; for (let k = 0; k < ${columns}; k++) { const v = ${centred(`${X} * ${columns} + k`, X)}; s += v * v; }
return 1 / Math.sqrt(s / ${columns} + epsilon);`,
      }),
      mean === null ? [x] : [x, mean],
      [epsilon],
    )
    launch(
      out,
      `${name} ${columns} ${given.names}`,
      [columns, rows],
      () => ({
        arrays: ['x', 'deviation', ...given.names],
        body: `return ${centred(`${Y} * ${columns} + ${X}`, Y)} * deviation[${Y}]${weight === null ? '' : ` * weight[${X}]`}${bias === null ? '' : ` + bias[${X}]`};`,
      }),
      [x, deviation, ...given.storages],
    )
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
    { rows, columns }: Rows,
  ): void => {
    const name = mean === null ? 'rmsNormPullback' : 'layerNormPullback'
    const given = present({ mean, weight })
    const normal = (at: string, row: string): string =>
      `${mean === null ? `x[${at}]` : `(x[${at}] - mean[${row}])`} * deviation[${row}]`
    const scaled = (at: string, column: string): string =>
      weight === null ? `dy[${at}]` : `dy[${at}] * weight[${column}]`
    const operands = [dy, x, deviation, ...given.storages]
    const arrays = ['dy', 'x', 'deviation', ...given.names]

    temporary([rows, mean === null ? 0 : rows], (alongNormal, along) => {
      const at = `${X} * ${columns} + k`
      const rowMean = (to: Storage, what: string, term: string): void =>
        launch(
          to,
          `${name} ${what} ${columns} ${given.names}`,
          [rows],
          () => ({
            arrays,
            body: `let s = 0; for (let k = 0; k < ${columns}; k++) { s += ${term}; } return s / ${columns};`,
          }),
          operands,
        )
      rowMean(alongNormal, 'normal', `${scaled(at, 'k')} * ${normal(at, X)}`)
      if (mean !== null) rowMean(along, 'mean', scaled(at, 'k'))
      const cell = `${Y} * ${columns} + ${X}`
      launch(
        dx,
        `${name} ${columns} ${given.names}`,
        [columns, rows],
        () => ({
          arrays: [...arrays, 'alongNormal', ...(mean === null ? [] : ['along'])],
          body: `return deviation[${Y}] * (${scaled(cell, X)} - ${normal(cell, Y)} * alongNormal[${Y}]${mean === null ? '' : ` - along[${Y}]`});`,
        }),
        [...operands, alongNormal, ...(mean === null ? [] : [along])],
      )
    })

    const columnSum = (to: Storage, what: string, term: string): void =>
      launch(
        to,
        `${name} ${what} ${columns} ${rows} ${given.names}`,
        [columns],
        () => ({ arrays, body: `let s = 0; for (let k = 0; k < ${rows}; k++) { s += ${term}; } return s;` }),
        operands,
      )
    const at = `k * ${columns} + ${X}`
    if (dWeight !== null) columnSum(dWeight, 'weight', `dy[${at}] * ${normal(at, 'k')}`)
    if (dBias !== null) columnSum(dBias, 'bias', `dy[${at}]`)
  }

  return {
    layerNorm: forward,
    layerNormPullback: pullback,
    rmsNorm: (out, deviation, x, weight, epsilon, size) =>
      forward(out, null, deviation, x, weight, null, epsilon, size),
    rmsNormPullback: (dx, dWeight, dy, x, weight, deviation, size) =>
      pullback(dx, dWeight, null, dy, x, weight, null, deviation, size),
  }
}

/** The operands that are there, and their names in the kernel. */
const present = (operands: Readonly<Record<string, Storage | null>>): { names: string[]; storages: Storage[] } => {
  const result: { names: string[]; storages: Storage[] } = { names: [], storages: [] }
  for (const [name, storage] of Object.entries(operands)) {
    if (storage === null) continue
    result.names.push(name)
    result.storages.push(storage)
  }
  return result
}
