/**
 * A compute shader and how its operands are laid out. Binding 0 holds the parameters; then come the arrays it reads, those it updates in
 * place and those it writes. Each is made of one of two things: a gpu.js kernel function (`translate.ts`) or WGSL of our own.
 */
import { NUMBERS } from './numbers.ts'

export interface Program {
  readonly code: string
  readonly reads: number
  readonly updates: number
  readonly writes: number
  readonly parameters: Parameters
}

export interface Parameters {
  readonly bytes: number
  /** 32-bit words that never change, from the first. */
  readonly fixed: readonly number[]
  /** Where each scalar goes, in words, and whether it is an integer. */
  readonly scalars: readonly { readonly word: number; readonly integer: boolean }[]
}

/** Threads along x; one-dimensional, as all of ours are. */
export const WORKGROUP = 256

/** WGSL of our own: sizes belong into parameters, so that one text serves all shapes: a driver takes long to
 * compile it. `body` sees `group` (index of the workgroup), `lane` (of the thread in it), the fields of `p` and the functions of `numbers.ts`. */
export interface Wgsl {
  /** Names, of f32 unless said: `x` or `x: vec4<f32>`. */
  readonly reads: readonly string[]
  readonly updates?: readonly string[]
  readonly writes?: readonly string[]
  /** Fields of `p`, u32 and f32. */
  readonly integers?: readonly string[]
  readonly reals?: readonly string[]
  /** Threads of a workgroup, 256 unless said. */
  readonly threads?: number
  /** Module-scope text: workgroup memory, functions. */
  readonly declarations?: string
  readonly body: string
}

const array = (binding: number, name: string, access: string): string => {
  const [id = name, type = 'f32'] = name.split(':')
  return `@group(0) @binding(${binding}) var<storage, ${access}> ${id.trim()}: array<${type.trim()}>;`
}

/** Workgroups come in rows of at most 65,535: `group` counts them through. */
export const assemble = ({
  reads,
  updates = [],
  writes = [],
  integers = [],
  reals = [],
  threads = WORKGROUP,
  declarations = '',
  body,
}: Wgsl): Program => {
  const fields = [...integers.map(name => `${name}: u32`), ...reals.map(name => `${name}: f32`)]
  const bindings = [
    ...reads.map((name, i) => array(1 + i, name, 'read')),
    ...[...updates, ...writes].map((name, i) => array(1 + reads.length + i, name, 'read_write')),
  ]
  return {
    code: `struct Parameters { ${(fields.length === 0 ? ['none: u32'] : fields).join(', ')} }
@group(0) @binding(0) var<uniform> p: Parameters;
${bindings.join('\n')}
${NUMBERS}
${declarations}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = id.x + id.y * groups.x;
${body}
}`,
    reads: reads.length,
    updates: updates.length,
    writes: writes.length,
    parameters: {
      bytes: 16 * Math.ceil(Math.max(1, fields.length) / 4),
      fixed: [],
      scalars: fields.map((_, word) => ({ word, integer: word < integers.length })),
    },
  }
}

/** So many workgroups as a grid that devices take; the last row may be longer than needed. */
export const rowsOfGroups = (count: number, most = 65_535): readonly [number, number] => {
  const rows = Math.ceil(count / most)
  return [Math.ceil(count / rows), rows]
}
