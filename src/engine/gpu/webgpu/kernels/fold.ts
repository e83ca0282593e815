/** Sums and maxima of contiguous rows, a workgroup a row: neighbouring threads read neighbouring numbers, partial results meet in a tree. */
import type { Storage } from '../../../../tensor/storage.ts'
import type { AxisView, Fused, Primitives, ReduceOp } from '../../../engine.ts'
import type { WgslLauncher } from '../launcher.ts'
import { WORKGROUP } from '../program.ts'

/** Functions over a value of each lane, the same result in all of them. To be called by all lanes alike. */
export const FOLDS = `
var<workgroup> parts: array<f32, ${WORKGROUP}>;
fn total(lane: u32, value: f32) -> f32 {
  parts[lane] = value;
  workgroupBarrier();
  for (var half = ${WORKGROUP / 2}u; half > 0u; half >>= 1u) { if (lane < half) { parts[lane] += parts[lane + half]; } workgroupBarrier(); }
  let result = parts[0];
  workgroupBarrier();
  return result;
}
fn largest(lane: u32, value: f32) -> f32 {
  parts[lane] = value;
  workgroupBarrier();
  for (var half = ${WORKGROUP / 2}u; half > 0u; half >>= 1u) { if (lane < half) { parts[lane] = max(parts[lane], parts[lane + half]); } workgroupBarrier(); }
  let result = parts[0];
  workgroupBarrier();
  return result;
}`

/** Visits k = lane, lane + 256, … below `columns`. */
export const along = (body: string, columns = 'p.columns'): string =>
  `for (var k = lane; k < ${columns}; k += ${WORKGROUP}u) { ${body} }`

/** Ends workgroups past the last row, and names the row's first element `row`. */
export const ROW = 'if (group >= p.rows) { return; } let row = group * p.columns;'

/** Below every f32 that is a number. */
export const LOWEST = '-3.4028234e38'

/** A row longer than this is cut, where rows are few. */
const PART = 2 ** 14

export const fold = (
  { dispatch, temporary }: WgslLauncher,
  otherwise: Pick<Primitives, 'reduce'>,
): Pick<Primitives, 'reduce'> & Required<Pick<Fused, 'dot'>> => {
  /** `parts` pieces of each row. */
  const rows = (
    op: ReduceOp,
    out: Storage,
    inputs: readonly Storage[],
    outer: number,
    length: number,
    parts: number,
  ): void => {
    const names = inputs.length === 1 ? ['x'] : ['x', 'y']
    const piece = Math.ceil(length / parts)
    const element = (at: string): string => names.map(name => `${name}[${at}]`).join(' * ')
    dispatch(
      `fold ${op} ${inputs.length}`,
      () => ({
        reads: names,
        writes: ['out'],
        integers: ['outer', 'length', 'parts', 'piece'],
        declarations: FOLDS,
        body: `if (group >= p.outer * p.parts) { return; }
let first = group % p.parts * p.piece;
let row = group / p.parts * p.length;
var value = ${op === 'sum' ? '0.0' : element('row + first')};
for (var k = first + lane; k < min(first + p.piece, p.length); k += ${WORKGROUP}u) { ${op === 'sum' ? `value += ${element('row + k')};` : `value = max(value, ${element('row + k')});`} }
let result = ${op === 'sum' ? 'total' : 'largest'}(lane, value);
if (lane == 0u) { out[group] = result; }`,
      }),
      outer * parts,
      { reads: inputs, writes: [out], scalars: [outer, length, parts, piece] },
    )
  }
  const reduced = (op: ReduceOp, out: Storage, inputs: readonly Storage[], { outer, length }: AxisView): void => {
    const parts = Math.min(Math.ceil(length / PART), WORKGROUP)
    if (parts === 1) rows(op, out, inputs, outer, length, 1)
    else {
      // The last piece is never empty: a maximum starts from its first element.
      const whole = Math.ceil(length / Math.ceil(length / parts))
      temporary([outer * whole], partial => {
        rows(op, partial, inputs, outer, length, whole)
        rows(op, out, [partial], outer, whole, 1)
      })
    }
  }
  return {
    reduce: (op, out, x, view) => {
      if (view.inner === 1 && view.length > 0) reduced(op, out, [x], view)
      else otherwise.reduce(op, out, x, view)
    },
    dot: (out, x, y, size) => {
      if (size === 0) otherwise.reduce('sum', out, x, { outer: 1, length: 0, inner: 1 })
      else reduced('sum', out, [x, y], { outer: 1, length: size, inner: 1 })
    },
  }
}
