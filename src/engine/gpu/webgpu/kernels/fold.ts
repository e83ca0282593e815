/** Text of kernels whose workgroup is a row: neighbouring threads read neighbouring numbers, partial results meet in a tree. */
import { WORKGROUP } from '../program.ts'

/** Below every f32 that is a number, where a maximum begins. */
export const LOWEST = '-3.4028234e38'

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
  for (var half = ${WORKGROUP / 2}u; half > 0u; half >>= 1u) { if (lane < half) { parts[lane] = maxOf(parts[lane], parts[lane + half]); } workgroupBarrier(); }
  let result = parts[0];
  workgroupBarrier();
  return result;
}`

/** Visits k = lane, lane + 256, … below `columns`. */
export const along = (body: string, columns = 'p.columns'): string =>
  `for (var k = lane; k < ${columns}; k += ${WORKGROUP}u) { ${body} }`
