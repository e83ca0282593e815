/**
 * Products of few rows, bound by reading the weights: decoding. A stored (inner, columns) weight is read by 16 neighbouring columns a
 * workgroup, whose 16 other threads share the inner length; a stored (columns, inner) one by 8 columns of 32 threads along the inner
 * length, four numbers at a time where they divide. Partial sums meet in workgroup memory.
 */
import type { MatmulSizes } from '../../../engine.ts'
import { type Wgsl, WORKGROUP } from '../program.ts'

/** Rows up to which weights are read once for all of them. */
export const FEW_ROWS = 8

const rowsOf = (rows: number, text: (m: number) => string): string =>
  Array.from({ length: rows }, (_, m) => text(m)).join('\n')

/** Columns of a workgroup. */
export const columnsOfGroup = ({ transposeY }: MatmulSizes): number => (transposeY ? 8 : 16)

export const matvec = (sizes: MatmulSizes, bias: boolean): Wgsl => {
  const { batch, xBatched, yBatched, rows, inner, columns, transposeX, transposeY } = sizes
  const width = columnsOfGroup(sizes)
  const slices = WORKGROUP / width
  const blocks = Math.ceil(columns / width)
  const quads = transposeY && !transposeX && inner % 4 === 0
  const [step, type, zero] = quads ? [inner / 4, 'vec4<f32>', 'vec4<f32>()'] : [inner, 'f32', '0.0']
  const xAt = (m: number): string =>
    `${xBatched ? `z * ${rows * step}u + ` : ''}${transposeX ? `k * ${rows}u + ${m}u` : `${m * step}u + k`}`
  const yAt = `${yBatched ? `z * ${step * columns}u + ` : ''}${transposeY ? `column * ${step}u + k` : `k * ${columns}u + column`}`
  return {
    reads: [`x: ${type}`, `y: ${type}`, ...(bias ? ['bias'] : [])],
    writes: ['out'],
    declarations: `var<workgroup> parts: array<f32, ${WORKGROUP * rows}>;`,
    body: `
let z = group / ${blocks}u;
if (z >= ${batch}u) { return; }
let within = ${transposeY ? `lane / ${slices}u` : `lane % ${width}u`};
let slice = ${transposeY ? `lane % ${slices}u` : `lane / ${width}u`};
let column = group % ${blocks}u * ${width}u + within;
${rowsOf(rows, m => `var sum${m} = ${zero};`)}
if (column < ${columns}u) {
for (var k = slice; k < ${step}u; k += ${slices}u) { let w = y[${yAt}];
${rowsOf(rows, m => `sum${m} = fma(x[${xAt(m)}], w, sum${m});`)} }
}
let place = within * ${slices}u + slice;
${rowsOf(rows, m => `parts[${m * WORKGROUP}u + place] = ${quads ? `sum${m}.x + sum${m}.y + (sum${m}.z + sum${m}.w)` : `sum${m}`};`)}
workgroupBarrier();
for (var half = ${slices / 2}u; half > 0u; half >>= 1u) {
if (slice < half) {
${rowsOf(rows, m => `parts[${m * WORKGROUP}u + place] += parts[${m * WORKGROUP}u + place + half];`)}
}
workgroupBarrier();
}
if (slice == 0u && column < ${columns}u) {
${rowsOf(rows, m => `out[(z * ${rows}u + ${m}u) * ${columns}u + column] = parts[${m * WORKGROUP}u + place]${bias ? ' + bias[column]' : ''};`)}
}`,
  }
}
