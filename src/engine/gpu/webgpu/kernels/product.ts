/**
 * Products of matrices in tiles of workgroup memory: 256 threads make a tile of 16 R x 16 R results, R x R each, and load every operand once a
 * tile instead of once a result. Operands are read through index expressions, so that one text serves transposed, strided and grouped
 * ones; `finish` makes the stored value of a sum. Each sum ascends in k.
 *
 * The layout of tiles follows the classic register blocking of GPU matmuls (Volkov and Demmel, SC 2008).
 */
import type { Storage } from '../../../../tensor/storage.ts'
import type { WgslLauncher } from '../launcher.ts'
import { type Wgsl, WORKGROUP } from '../program.ts'

/** Threads along each axis of a tile. */
const SIDE = 16
/** k at a time. */
const DEPTH = 16
/** Tiles of 128 from which on they keep a large GPU busy; else tiles of 64. */
const ENOUGH_TILES = 64

/** Expressions are WGSL over u32 `z`, `m`, `n`, `k`, where result (z, m, n) is a sum over k, and the fields of `p`: these sizes and the further parameters. */
export interface Product {
  /** Names the expressions. */
  readonly key: string
  readonly batch: number
  readonly rows: number
  readonly columns: number
  readonly inner: number
  /** Position in the first array read, whether its neighbours follow along m rather than k, and where it is not zero. */
  readonly x: { readonly at: string; readonly alongRows: boolean; readonly when?: string }
  /** Position in the second array read, and whether its neighbours follow along k rather than n. */
  readonly y: { readonly at: string; readonly alongInner: boolean }
  /** Position of the result. */
  readonly out: string
  /** f32 expression over `sum`. */
  readonly finish: string
  /** Results elsewhere in the array stay: it is updated where it is. */
  readonly partly?: boolean
  /** Terms outside [from, to) are zero for all of the tile of side `tile` at rows `m0` and columns `n0`: u32 expressions. */
  readonly from?: string
  readonly to?: string
  /** Further arrays that the expressions read. */
  readonly extra?: readonly string[]
  /** Further u32 and f32 parameters. */
  readonly integers?: Readonly<Record<string, number>>
  readonly reals?: Readonly<Record<string, number>>
}

const each = (count: number, text: (i: number) => string, between = '\n'): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(between)

const source = (product: Product, r: number): Wgsl => {
  const { x, y, out, finish, from = '0u', to = 'p.inner' } = product
  const tile = SIDE * r
  const quads = r / 4
  const depth4 = DEPTH / 4
  return {
    reads: ['x', 'y', ...(product.extra ?? [])],
    writes: ['out'],
    integers: ['batch', 'rows', 'columns', 'inner', ...Object.keys(product.integers ?? {})],
    reals: Object.keys(product.reals ?? {}),
    declarations: `
var<workgroup> xs: array<vec4<f32>, ${tile * depth4}>;
var<workgroup> ys: array<vec4<f32>, ${DEPTH * SIDE * quads}>;
fn xAt(z: u32, m: u32, k: u32, to: u32) -> f32 { if (m < p.rows && k < to${x.when === undefined ? '' : ` && ${x.when}`}) { return x[${x.at}]; } return 0.0; }
fn yAt(z: u32, k: u32, n: u32, to: u32) -> f32 { if (n < p.columns && k < to) { return y[${y.at}]; } return 0.0; }
fn store(z: u32, m: u32, n: u32, sum: f32) { if (m < p.rows && n < p.columns) { out[${out}] = ${finish}; } }`,
    body: `
let tile = ${tile}u;
let tilesM = (p.rows + tile - 1u) / tile;
let tilesN = (p.columns + tile - 1u) / tile;
let z = group / (tilesM * tilesN);
if (z >= p.batch) { return; }
let m0 = group / tilesN % tilesM * tile;
let n0 = group % tilesN * tile;
let tx = lane % ${SIDE}u;
let ty = lane / ${SIDE}u;
let end = min(${to}, p.inner);
${each(r * quads, i => `var sum${i} = vec4<f32>();`)}
for (var k0 = (${from}) / ${DEPTH}u * ${DEPTH}u; k0 < end; k0 += ${DEPTH}u) {
${each((tile * depth4) / WORKGROUP, i => {
  const [m, quad] = x.alongRows
    ? [`(lane + ${i * WORKGROUP}u) % ${tile}u`, `(lane + ${i * WORKGROUP}u) / ${tile}u`]
    : [`(lane + ${i * WORKGROUP}u) / ${depth4}u`, `(lane + ${i * WORKGROUP}u) % ${depth4}u`]
  return `{ let m = ${m}; let quad = ${quad}; let k = k0 + 4u * quad;
xs[m * ${depth4}u + quad] = vec4<f32>(${each(4, c => `xAt(z, m0 + m, k + ${c}u, end)`, ', ')}); }`
})}
${each((DEPTH * SIDE * quads) / WORKGROUP, i => {
  const [k, quad] = y.alongInner
    ? [`(lane + ${i * WORKGROUP}u) % ${DEPTH}u`, `(lane + ${i * WORKGROUP}u) / ${DEPTH}u`]
    : [`(lane + ${i * WORKGROUP}u) / ${SIDE * quads}u`, `(lane + ${i * WORKGROUP}u) % ${SIDE * quads}u`]
  return `{ let k = ${k}; let quad = ${quad}; let n = n0 + 4u * quad;
ys[k * ${SIDE * quads}u + quad] = vec4<f32>(${each(4, c => `yAt(z, k0 + k, n + ${c}u, end)`, ', ')}); }`
})}
workgroupBarrier();
for (var quad = 0u; quad < ${depth4}u; quad++) {
${each(4 * quads, i => `let y${i} = ys[(4u * quad + ${Math.floor(i / quads)}u) * ${SIDE * quads}u + tx + ${SIDE * (i % quads)}u];`)}
${each(
  r,
  i => `let x${i} = xs[(ty * ${r}u + ${i}u) * ${depth4}u + quad];
${each(quads, q => each(4, c => `sum${i * quads + q} = fma(vec4<f32>(x${i}[${c}]), y${c * quads + q}, sum${i * quads + q});`))}`,
)}
}
workgroupBarrier();
}
${each(r, i => each(quads, q => each(4, c => `store(z, m0 + ty * ${r}u + ${i}u, n0 + 4u * (tx + ${SIDE * q}u) + ${c}u, sum${i * quads + q}[${c}]);`)))}`,
  }
}

/** out = the product of the first two arrays read. */
export const product = ({ dispatch }: WgslLauncher, out: Storage, reads: readonly Storage[], of: Product): void => {
  const { key, batch, rows, columns, inner, integers = {}, reals = {} } = of
  const tiles = (side: number): number => Math.ceil(rows / side) * Math.ceil(columns / side) * batch
  const r = tiles(128) >= ENOUGH_TILES && rows > 64 && columns > 64 ? 8 : 4
  dispatch(`${key} ${r}`, () => source(of, r), tiles(SIDE * r), {
    reads,
    ...(of.partly === true ? { updates: [out] } : { writes: [out] }),
    scalars: [batch, rows, columns, inner, ...Object.values(integers), ...Object.values(reals)],
  })
}
