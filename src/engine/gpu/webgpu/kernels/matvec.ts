/**
 * Products of few rows, bound by reading the weights: decoding. A stored (inner, columns) weight is read by 16 neighbouring columns a
 * workgroup, whose 16 other threads share the inner length; a stored (columns, inner) one by 8 columns of 32 threads along the inner
 * length, four numbers at a time where they divide. Partial sums meet in workgroup memory.
 */
import type { MatmulSizes } from '../../../primitives.ts'
import { type Wgsl, WORKGROUP } from '../program.ts'

/** Rows up to which weights are read once for all of them. */
export const FEW_ROWS = 8

const rowsOf = (rows: number, text: (m: number) => string): string =>
  Array.from({ length: rows }, (_, m) => text(m)).join('\n')

/** Whether both operands are read four numbers at a time. */
export const inQuads = ({ transposeX, transposeY, inner }: MatmulSizes): boolean =>
  transposeY && !transposeX && inner % 4 === 0

/** Columns of a workgroup. */
export const columnsOfGroup = ({ transposeY }: MatmulSizes): number => (transposeY ? 8 : 16)

export const matvec = (sizes: MatmulSizes, bias: boolean): Wgsl => {
  const { xBatched, yBatched, rows, transposeX, transposeY } = sizes
  const width = columnsOfGroup(sizes)
  const slices = WORKGROUP / width
  const quads = inQuads(sizes)
  const [type, zero] = quads ? ['vec4<f32>', 'vec4<f32>()'] : ['f32', '0.0']
  const xAt = (m: number): string =>
    `${xBatched ? `z * ${rows}u * step + ` : ''}${transposeX ? `k * ${rows}u + ${m}u` : `${m}u * step + k`}`
  const yAt = `${yBatched ? 'z * step * p.columns + ' : ''}${transposeY ? 'column * step + k' : 'k * p.columns + column'}`
  return {
    reads: [`x: ${type}`, `y: ${type}`, ...(bias ? ['bias'] : [])],
    writes: ['out'],
    integers: ['batch', 'columns', 'inner'],
    declarations: `var<workgroup> parts: array<f32, ${WORKGROUP * rows}>;`,
    body: `
let blocks = (p.columns + ${width - 1}u) / ${width}u;
let z = group / blocks;
if (z >= p.batch) { return; }
let step = p.inner${quads ? ' / 4u' : ''};
let within = ${transposeY ? `lane / ${slices}u` : `lane % ${width}u`};
let slice = ${transposeY ? `lane % ${slices}u` : `lane / ${width}u`};
let column = group % blocks * ${width}u + within;
${rowsOf(rows, m => `var sum${m} = ${zero};`)}
if (column < p.columns) {
for (var k = slice; k < step; k += ${slices}u) { let w = y[${yAt}];
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
if (slice == 0u && column < p.columns) {
${rowsOf(rows, m => `out[(z * ${rows}u + ${m}u) * p.columns + column] = parts[${m * WORKGROUP}u + place]${bias ? ' + bias[column]' : ''};`)}
}`,
  }
}
