/** Threads of the wasm engine: the same bits whatever their number, and errors that name their cause. */
import test from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import type { Activation } from '../../../src/engine/fused.ts'
import type { BinaryOp, MatmulSizes, UnaryOp } from '../../../src/engine/primitives.ts'
import { kernelNames } from '../../../src/engine/wasm/binary.generated.ts'
import { type WasmEngine, wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { loadKernels } from '../../../src/engine/wasm/kernels.ts'
import { Memory } from '../../../src/engine/wasm/memory.ts'
import { Threads } from '../../../src/engine/wasm/threads.ts'
import type { WeightType } from '../../../src/format/quantized/hostMatrix.ts'
import { pack } from '../../../src/format/quantized/pack.ts'
import { halveMatrix, quantizeMatrix } from '../../../src/format/quantized/quantizeMatrix.ts'
import { key } from '../../../src/random.ts'
import type { Storage } from '../../../src/tensor/storage.ts'
import { get, numbers, put, sameBits } from './support.ts'

/** Splits whatever has two parts, on workers that are up. */
const threaded = (threads: number): WasmEngine => {
  const engine = wasmEngine({ threads, splitFrom: 0 })
  engine.warm()
  return engine
}

const split = new Set<string>()
const { begin } = Threads.prototype
Threads.prototype.begin = function (this: Threads, name) {
  split.add(name)
  return begin.call(this, name)
}

type Compute = (engine: Engine, outputs: readonly Storage[], inputs: readonly Storage[]) => void

/** A call: sizes of what it writes and reads, and what it does. Everything of sizes that no vector or tile divides. */
interface Call {
  readonly name: string
  readonly writes: readonly number[]
  readonly reads: readonly ArrayLike<number>[]
  readonly compute: Compute
}

const [ROWS, COLUMNS] = [37, 53]
const SIZE = ROWS * COLUMNS
const rows = { rows: ROWS, columns: COLUMNS }
const ids = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 11)
const some = (count: number, seed = 1): Float32Array => numbers(count, seed)
const positive = (count: number, seed = 1): Float32Array => numbers(count, seed).map(x => Math.abs(x) + 0.1)

const call = (
  name: string,
  writes: readonly number[],
  reads: readonly ArrayLike<number>[],
  compute: (engine: Engine, at: (i: number) => Storage) => void,
): Call => ({
  name,
  writes,
  reads,
  compute: (engine, outputs, inputs) => {
    const all = [...outputs, ...inputs]
    compute(engine, i => {
      const storage = all[i]
      if (storage === undefined) throw new RangeError(`no operand ${i}`)
      return storage
    })
  },
})

const matmul = (name: string, sizes: Partial<MatmulSizes>): Call => {
  const whole: MatmulSizes = {
    batch: 1,
    xBatched: false,
    yBatched: false,
    rows: 43,
    inner: 270,
    columns: 51,
    transposeX: false,
    transposeY: false,
    ...sizes,
  }
  const { batch, xBatched, yBatched, inner, columns } = whole
  return call(
    `matmul ${name}`,
    [batch * whole.rows * columns, xBatched && yBatched ? 0 : batch * whole.rows * columns],
    [
      some((xBatched ? batch : 1) * whole.rows * inner, 2),
      some((yBatched ? batch : 1) * inner * columns, 3),
      some(columns, 4),
    ],
    (engine, at) => {
      engine.primitives.matmul(at(0), at(2), at(3), whole)
      if (!(xBatched && yBatched)) engine.fused.linear?.(at(1), at(2), at(3), at(4), whole)
    },
  )
}

/** Products of one row until y lies in panels, then its rows, and y as it was. */
const reread = (columns: number, transposeY: boolean): Call => {
  const sizes = {
    batch: 1,
    xBatched: false,
    yBatched: false,
    rows: 1,
    inner: 270,
    columns,
    transposeX: false,
    transposeY,
  }
  return call(
    `matmul again and again${transposeY ? ', y transposed' : ''}`,
    [columns, 40 * 270, 270 * columns],
    [some(270, 2), some(270 * columns, 3)],
    ({ primitives }, at) => {
      for (let i = 0; i < 8; i++) primitives.matmul(at(0), at(3), at(4), sizes)
      primitives.gather(at(1), at(4), ids, columns, 270)
      for (let i = 0; i < 100; i++) primitives.matmul(at(0), at(3), at(4), sizes)
      primitives.copy(at(2), at(4), 270 * columns)
    },
  )
}

const attention = (name: string, queries: number, keys: number, causal: boolean): Call => {
  const sizes = { batch: 2, queries, keys, keyCapacity: keys + 3, heads: 4, keyValueHeads: 2, headWidth: 12, causal }
  const asked = 2 * queries * 4 * 12
  const held = 2 * (keys + 3) * 2 * 12
  return call(
    `attention ${name}`,
    [asked, 2 * 4 * queries, asked, held, held],
    [some(asked, 5), some(held, 6), some(held, 7), some(asked, 8)],
    ({ fused }, at) => {
      fused.attention?.(at(0), at(1), at(5), at(6), at(7), { ...sizes, scale: 0.3 })
      fused.attentionPullback?.(at(2), at(3), at(4), at(8), at(5), at(6), at(7), at(0), at(1), { ...sizes, scale: 0.3 })
    },
  )
}

const window = {
  ...{ strideHeight: 1, strideWidth: 1, paddingHeight: 1, paddingWidth: 1, dilationHeight: 1 },
  dilationWidth: 1,
}

const convolution = (
  name: string,
  batch: number,
  groups: number,
  size: number,
  stride: number,
  [inputs, outputs]: readonly [number, number] = [5, 7],
): Call => {
  const out = Math.floor((size - 1) / stride) + 1
  const plane = { height: size, width: size, outHeight: out, outWidth: out, kernelHeight: 3, kernelWidth: 3 }
  const steps = { ...window, strideHeight: stride, strideWidth: stride }
  const sizes = { ...plane, ...steps, batch, groups, inputs, outputs }
  const [x, y] = [batch * groups * inputs * size ** 2, batch * groups * outputs * out ** 2]
  const weight = groups * outputs * inputs * 9
  return call(
    `convolution ${name}`,
    [y, x, weight],
    [some(x), some(y, 2), some(weight, 3), some(groups * outputs, 4)],
    ({ fused }, at) => {
      fused.convolution?.(at(0), at(3), at(5), at(6), sizes)
      fused.convolutionInputGradient?.(at(1), at(4), at(5), sizes)
      fused.convolutionWeightGradient?.(at(2), at(4), at(3), sizes)
    },
  )
}

const quantized = (type: WeightType, height: number): Call => {
  const sizes = { type, rows: height, inner: 100, columns: 75 }
  const make = type === 'f16' ? halveMatrix : quantizeMatrix
  const packed = pack(make(some(7500, 3), [75, 100], 1, 'weights'))
  return call(
    `${type}, ${height} rows`,
    [height * 75, 40 * 100],
    [some(height * 100, 2), some(75, 4), packed],
    ({ fused }, at) => {
      fused.quantizedMatmul?.(at(0), at(2), at(4), at(3), sizes)
      fused.quantizedGather?.(at(1), at(4), ids, sizes)
    },
  )
}

const pools = (): Call => {
  const plane = { height: 9, width: 10, outHeight: 5, outWidth: 10, kernelHeight: 3, kernelWidth: 3 }
  const sizes = { ...plane, ...window, strideHeight: 2, planes: 7 }
  const [x, y] = [7 * 90, 7 * 50]
  return call('pools', [y, x, y, x], [some(x), some(y, 2)], ({ fused }, at) => {
    fused.maxPool?.(at(0), at(4), sizes)
    fused.maxPoolPullback?.(at(1), at(5), at(4), sizes)
    fused.sumPool?.(at(2), at(4), 0.3, sizes)
    fused.spread?.(at(3), at(5), 0.3, sizes)
  })
}

const unaryOps: readonly UnaryOp[] = [
  ...(['negate', 'exp', 'log', 'sqrt', 'reciprocalSqrt', 'reciprocal', 'tanh', 'sigmoid'] as const),
  ...(['erf', 'relu', 'square', 'abs', 'step', 'round', 'sin', 'cos'] as const),
]
const binaryOps: readonly BinaryOp[] = [
  ...(['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'greaterEqual'] as const),
]
const activations: readonly Activation[] = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid']
const targets = Int32Array.from({ length: ROWS }, (_, i) => (i % 5 === 0 ? -1 : (i * 3) % COLUMNS))
const crossEntropySizes = { ...rows, targets, ignoreIndex: -1, labelSmoothing: 0.1 }
const adamW = {
  ...{ rate: 1e-3, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 },
  ...{ correction1: 0.1, correction2: 0.01 },
}

const calls: readonly Call[] = [
  call('fill', [SIZE], [], ({ primitives }, at) => primitives.fill(at(0), -0, SIZE)),
  call('copy', [SIZE], [some(SIZE)], ({ primitives }, at) => primitives.copy(at(0), at(1), SIZE)),
  ...unaryOps.map(op =>
    call(op, [SIZE], [some(SIZE)], ({ primitives }, at) => primitives.unary(op, at(0), at(1), SIZE)),
  ),
  ...binaryOps.flatMap(op =>
    [
      { shape: [SIZE], x: [1], y: [1] },
      { shape: [SIZE], x: [0], y: [1] },
      { shape: [ROWS, COLUMNS], x: [COLUMNS, 1], y: [0, 1] },
      { shape: [3, ROWS, COLUMNS], x: [0, COLUMNS, 1], y: [0, 1, 0] },
    ].map(broadcast =>
      call(
        `${op} [${broadcast.shape}] by [${broadcast.y}]`,
        [broadcast.shape.reduce((a, b) => a * b, 1)],
        [some(SIZE), some(SIZE, 2)],
        ({ primitives }, at) => primitives.binary(op, at(0), at(1), at(2), broadcast),
      ),
    ),
  ),
  ...(['sum', 'max'] as const).flatMap(op =>
    [
      { outer: ROWS, length: COLUMNS, inner: 1 },
      { outer: 1, length: ROWS, inner: COLUMNS },
      { outer: 7, length: 5, inner: 51 },
    ].map(view =>
      call(`${op} over ${JSON.stringify(view)}`, [view.outer * view.inner], [some(SIZE)], ({ primitives }, at) =>
        primitives.reduce(op, at(0), at(1), view),
      ),
    ),
  ),
  matmul('plain', {}),
  matmul('x transposed', { transposeX: true, columns: 20 }),
  matmul('y transposed', { transposeY: true }),
  matmul('both', { transposeX: true, transposeY: true }),
  matmul('two rows', { rows: 2, columns: 99 }),
  matmul('one row, y transposed', { rows: 1, columns: 99, transposeY: true }),
  matmul('three rows, x transposed', { rows: 3, transposeX: true }),
  matmul('one column', { columns: 1 }),
  matmul('nothing inside', { inner: 0 }),
  matmul('batch over one y', { batch: 3, xBatched: true, rows: 7 }),
  matmul('batch of pairs', { batch: 5, xBatched: true, yBatched: true, rows: 9, inner: 21, columns: 17 }),
  reread(72, false),
  reread(75, true),
  matmul('batch of few', { batch: 2, xBatched: true, yBatched: true, rows: 1 }),
  ...(['q8_0', 'f16'] as const).flatMap(type => [1, 2, 43].map(height => quantized(type, height))),
  call('gather', [40 * COLUMNS], [some(11 * COLUMNS)], ({ primitives }, at) =>
    primitives.gather(at(0), at(1), ids, 11, COLUMNS),
  ),
  call('scatterAdd', [11 * COLUMNS], [some(40 * COLUMNS)], ({ primitives }, at) =>
    primitives.scatterAdd(at(0), at(1), ids, 11, COLUMNS),
  ),
  call('permute a matrix', [SIZE], [some(SIZE)], ({ primitives }, at) =>
    primitives.permute(at(0), at(1), [ROWS, COLUMNS], [1, 0]),
  ),
  call('permute matrices', [3 * SIZE], [some(3 * SIZE)], ({ primitives }, at) =>
    primitives.permute(at(0), at(1), [3, ROWS, COLUMNS], [0, 2, 1]),
  ),
  call('permute the middle', [3 * SIZE], [some(3 * SIZE)], ({ primitives }, at) =>
    primitives.permute(at(0), at(1), [3, ROWS, COLUMNS], [1, 0, 2]),
  ),
  call('slice, pad, assign', [ROWS * 20, ROWS * 60, SIZE], [some(SIZE)], ({ primitives }, at) => {
    primitives.slice(at(0), at(3), { outer: ROWS, length: COLUMNS, inner: 1 }, 5, 20)
    primitives.pad(at(1), at(3), { outer: ROWS, length: COLUMNS, inner: 1 }, 4, 60)
    primitives.fill(at(2), 1, SIZE)
    primitives.assign(at(2), at(0), { outer: ROWS, length: 20, inner: 1 }, 9, COLUMNS)
  }),
  call('accumulate', [SIZE], [some(SIZE), some(SIZE, 2)], ({ primitives }, at) => {
    primitives.copy(at(0), at(1), SIZE)
    primitives.accumulate(at(0), at(2), -0.3, SIZE)
  }),
  call('uniform, dropout', [SIZE, SIZE], [some(SIZE)], ({ primitives, fused }, at) => {
    primitives.uniform(at(0), key(3), SIZE)
    fused.dropout?.(at(1), at(2), key(4), 0.2, SIZE)
  }),
  call('softmax', [SIZE, SIZE], [some(SIZE), some(SIZE, 2)], ({ fused }, at) => {
    fused.softmax?.(at(0), at(2), rows)
    fused.softmaxPullback?.(at(1), at(3), at(0), rows)
  }),
  ...activations.map(kind =>
    call(kind, [SIZE, SIZE, SIZE], [some(SIZE)], ({ fused }, at) => {
      fused.activation?.(kind, at(0), at(3), SIZE)
      fused.activationWithSlope?.(kind, at(1), at(2), at(3), SIZE)
    }),
  ),
  ...[true, false].map(affine =>
    call(
      `layerNorm and rmsNorm ${affine ? 'with' : 'without'} weights`,
      [SIZE, ROWS, ROWS, SIZE, COLUMNS, COLUMNS, SIZE, ROWS, SIZE, COLUMNS],
      [some(SIZE), some(COLUMNS, 2), some(COLUMNS, 3), some(SIZE, 4)],
      ({ fused, primitives }, at) => {
        const weight = affine ? at(11) : null
        const ofWeight = (i: number): Storage | null => (affine ? at(i) : null)
        for (const i of [4, 5, 9]) primitives.fill(at(i), 0, COLUMNS)
        fused.layerNorm?.(at(0), at(1), at(2), at(10), weight, affine ? at(12) : null, 1e-5, rows)
        fused.layerNormPullback?.(at(3), ofWeight(4), ofWeight(5), at(13), at(10), weight, at(1), at(2), rows)
        fused.rmsNorm?.(at(6), at(7), at(10), weight, 1e-5, rows)
        fused.rmsNormPullback?.(at(8), ofWeight(9), at(13), at(10), weight, at(7), rows)
      },
    ),
  ),
  ...[1, 3].map(batch =>
    call(`rotary, batch ${batch}`, [batch * 960], [some(batch * 960), some(60, 2), some(60, 3)], ({ fused }, at) =>
      fused.rotary?.(at(0), at(1), at(2), at(3), true, { batch, time: 12, heads: 8, half: 5 }),
    ),
  ),
  convolution('of three images', 3, 1, 9, 1),
  convolution('of one image, stride 2', 1, 1, 12, 2),
  convolution('in groups', 2, 3, 5, 3),
  convolution('by tiles', 3, 1, 9, 1, [16, 20]),
  convolution('by tiles in groups', 1, 2, 14, 1, [20, 16]),
  convolution('by tiles, stride 2', 3, 1, 16, 2, [16, 20]),
  convolution('by tiles in groups, stride 2', 2, 2, 14, 2, [40, 16]),
  pools(),
  call(
    'groupNorm',
    [6 * 700, 30, 30, 6 * 700, 60, 60],
    [some(6 * 700), some(6 * 700, 2), some(10, 3), some(10, 4)],
    ({ fused }, at) => {
      const sizes = { rows: 30, groups: 5, channels: 2, positions: 70 }
      fused.groupNorm?.(at(0), at(1), at(2), at(6), at(8), at(9), 1e-5, sizes)
      fused.groupNormPullback?.(at(3), at(4), at(5), at(7), at(6), at(8), at(1), at(2), sizes)
    },
  ),
  call(
    'lstmCell, gruCell',
    [SIZE, SIZE, 4 * SIZE, SIZE, SIZE, 3 * SIZE, 3 * SIZE, SIZE],
    [some(4 * SIZE), some(SIZE, 2), some(SIZE, 3), some(4 * SIZE, 4)],
    ({ fused }, at) => {
      fused.lstmCell?.(at(0), at(1), at(8), at(9), rows)
      fused.lstmCellPullback?.(at(2), at(3), at(9), at(10), at(8), at(9), rows)
      fused.gruCell?.(at(4), at(8), at(11), at(9), rows)
      fused.gruCellPullback?.(at(5), at(6), at(7), at(10), at(8), at(11), at(9), rows)
    },
  ),
  attention('causal', 33, 33, true),
  attention('of one query', 1, 40, true),
  attention('across', 7, 19, false),
  call('crossEntropy', [ROWS, ROWS, SIZE], [some(SIZE), some(ROWS, 2)], ({ fused }, at) => {
    fused.crossEntropy?.(at(0), at(1), at(3), crossEntropySizes)
    fused.crossEntropyPullback?.(at(2), at(4), at(3), at(1), crossEntropySizes)
  }),
  call('dot', [1], [some(SIZE), some(SIZE, 2)], ({ fused }, at) => fused.dot?.(at(0), at(1), at(2), SIZE)),
  call(
    'adamW',
    [SIZE, SIZE, SIZE, 5, 5, 5],
    [some(SIZE), some(SIZE, 2), some(SIZE, 3), positive(SIZE, 4)],
    ({ fused, primitives }, at) => {
      primitives.copy(at(1), at(6), SIZE)
      primitives.copy(at(2), at(9), SIZE)
      primitives.copy(at(4), at(6), 5)
      primitives.copy(at(5), at(9), 5)
      const [gradient, parameter] = [at(7), at(8)]
      fused.adamW?.(
        [
          { update: at(3), firstMoment: at(4), secondMoment: at(5), gradient, parameter, weightDecay: 0, size: 5 },
          { update: at(0), firstMoment: at(1), secondMoment: at(2), gradient, parameter, weightDecay: 0.1, size: SIZE },
        ],
        adamW,
      )
    },
  ),
  call(
    'lists of tensors',
    [1, SIZE, 7, SIZE, 7],
    [some(SIZE), some(7, 2), some(1, 3), some(40_000, 4)],
    ({ fused, primitives }, at) => {
      fused.sumOfSquares?.(at(0), [at(5), at(8), at(6)], [SIZE, 40_000, 7])
      fused.scaleEach?.([at(1), at(2)], [at(5), at(6)], at(7), [SIZE, 7])
      primitives.copy(at(3), at(5), SIZE)
      primitives.copy(at(4), at(6), 7)
      fused.accumulateEach?.([at(4), at(3)], [at(2), at(1)], [7, SIZE])
    },
  ),
]

const resultsOf = (engine: Engine, { writes, reads, compute }: Call): HostData[] => {
  const inputs = reads.map(values => put(engine, values))
  const outputs = writes.map(size => put(engine, new Float32Array(size).fill(Number.NaN)))
  compute(engine, outputs, inputs)
  const results = outputs.map(storage => get(storage))
  for (const storage of [...inputs, ...outputs]) engine.free(storage)
  return results
}

test('results have the same bits on 1, 2 and 3 threads', t => {
  const single = wasmEngine()
  const engines = [threaded(2), threaded(3)]
  for (const each of calls) {
    const expected = resultsOf(single, each)
    // Threads race for shares: again and again another one runs each.
    for (const engine of engines)
      for (let i = 0; i < 5; i++) {
        const found = resultsOf(engine, each)
        if (!expected.every((values, j) => sameBits(values, found[j] ?? []))) {
          t.fail(`${each.name} on ${engine.threads} threads`)
          break
        }
      }
    t.pass(each.name)
  }
  // Panels take the place of weights that outlive the call: what fails in a worker must not leave half of them done.
  const inPlace = ['packRows', 'unpackRows', 'panelsFromColumns', 'columnsFromPanels']
  const whole = ['dot', 'squareParts', 'readAhead', 'convolutionInputGradientPanels', 'winogradQuads', ...inPlace]
  t.deepEqual(
    kernelNames.filter(name => !split.has(name) && !name.endsWith('Scratch')).sort(),
    whole.sort(),
    'every kernel was split but these',
  )
  t.notOk(
    sameBits(
      resultsOf(single, matmul('plain', {}))[0] ?? [],
      resultsOf(single, matmul('other', { inner: 269 }))[0] ?? [],
    ),
    'negative control',
  )
  for (const engine of engines) engine.close()
  t.end()
})

test('workers see memory that grew after they started', t => {
  const engine = threaded(3)
  const single = wasmEngine()
  const width = 1000
  for (let i = 1; i <= 12; i++) {
    const table = some(40 * width, i)
    const results = [single, engine].map(each => {
      // Kept, so that the heap grows; copies and fills of bytes check the memory's size themselves.
      each.allocate(400_000)
      const [from, to] = [put(each, table), each.allocate(60 * width)]
      each.primitives.pad(to, from, { outer: 1, length: 40, inner: width }, 10, 60)
      each.primitives.gather(to, from, ids, 40, width)
      return get(to)
    })
    t.ok(sameBits(results[0] ?? [], results[1] ?? []), `growth ${i}`)
  }
  t.ok(get(engine.allocate(4)).buffer instanceof ArrayBuffer, 'what is read is a copy outside the shared memory')
  engine.close()
  t.end()
})

test('a kernel that fails on a thread throws its cause, and the engine goes on with one', t => {
  const engine = threaded(2)
  const values = some(11 * COLUMNS)
  const table = put(engine, values)
  const out = engine.allocate(40 * COLUMNS)
  const far = new Int32Array(40).fill(10_000_000)
  t.equal(engine.threads, 2)
  t.throws(
    () => engine.primitives.gather(out, table, far, 11, COLUMNS),
    /gather failed .* out of bounds; .* one thread/,
  )
  t.throws(() => engine.primitives.gather(out, table, far, 11, COLUMNS), /out of bounds/, 'alone too')
  t.equal(engine.threads, 1)
  t.match(engine.fallbackReason, /one thread: gather failed .* out of bounds/)
  engine.primitives.copy(out, table, values.length)
  t.ok(sameBits(get(out, values.length), values), 'usable')
  t.end()
})

test('more shares than can be counted are made fewer', t => {
  const memory = new Memory(2 ** 24, true)
  const loaded = loadKernels(memory.wasm, true, true)
  const threads = new Threads(memory, loaded, { threads: 2, splitFrom: 0, patience: 5000 })
  t.ok(threads.warm(5000))
  const SHARES = 100_000
  const { address } = memory.allocate(4 * (SHARES + 2))
  memory.floats.fill(-1, address / 4, address / 4 + SHARES + 2)
  t.ok(threads.splits(1e9, SHARES, 1, SHARES))
  threads
    .begin('fill')
    .moving(address + 4, 4)
    .same(1)
    .size()
    .run()
  const found = memory.floats.slice(address / 4, address / 4 + SHARES + 2)
  t.ok(
    found.every((value, i) => value === (i === 0 || i === SHARES + 1 ? -1 : 1)),
    'all are done, and nothing beside them',
  )
  threads.stop()
  t.end()
})

test('workers read ahead within the memory, whatever the next product is cut into', async t => {
  const engine = wasmEngine({ threads: 6, splitFrom: 0 })
  t.ok(engine.warm())
  // The second matrix lies low in memory, has two shares and long ones.
  const matrices = [
    { inner: 4096, columns: 64 },
    { inner: 64, columns: 1024 },
  ].map(sizes => ({ ...sizes, weight: engine.allocate((sizes.inner * sizes.columns) / 2) }))
  const x = put(engine, some(4096))
  const out = engine.allocate(1024)
  for (let i = 0; i < 50; i++)
    for (const { weight, inner, columns } of matrices)
      engine.fused.quantizedMatmul?.(out, x, weight, null, { type: 'f16', rows: 1, inner, columns })
  await new Promise(resolve => setTimeout(resolve, 100))
  t.deepEqual([engine.threads, engine.fallbackReason], [6, wasmEngine().fallbackReason], 'no worker ended')
  engine.close()
  t.match(engine.fallbackReason, /one thread: the engine was closed/)
  t.end()
})

/** Runs with another value of a property of a global object. */
const withProperty = <T>(target: object, name: string, value: unknown, run: () => T): T => {
  const before = Object.getOwnPropertyDescriptor(target, name)
  Object.defineProperty(target, name, { value, configurable: true, writable: true })
  try {
    return run()
  } finally {
    if (before === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, before)
  }
}

const product = (engine: Engine): HostData | undefined => resultsOf(engine, matmul('plain', {}))[0]

test('where threads cannot be had there is one, and the engine says why', t => {
  const expected = product(wasmEngine()) ?? []
  const refuse = (): never => {
    throw new TypeError('Atomics.wait cannot be called in this context')
  }
  class Unshared extends WebAssembly.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if (descriptor.shared) throw new RangeError('could not allocate')
      super(descriptor)
    }
  }
  const refused: readonly (readonly [object, string, unknown, RegExp])[] = [
    [globalThis, 'SharedArrayBuffer', undefined, /no SharedArrayBuffer/],
    [Atomics, 'wait', refuse, /may not wait/],
    [process, 'getBuiltinModule', undefined, /no workers/],
    [WebAssembly, 'Memory', Unshared, /no memory that threads share: RangeError/],
  ]
  for (const [target, name, value, reason] of refused) {
    const engine = withProperty(target, name, value, () => wasmEngine({ threads: 2, splitFrom: 0 }))
    t.equal(engine.threads, 1, name)
    t.match(engine.fallbackReason, reason)
    t.ok(sameBits(product(engine) ?? [], expected))
  }
  class Unstartable {
    constructor() {
      throw new Error('no more threads')
    }
  }
  const { getBuiltinModule } = process
  const modules = (id: string): unknown =>
    id === 'node:worker_threads' ? { Worker: Unstartable } : Reflect.apply(getBuiltinModule, process, [id])
  const engine = wasmEngine({ threads: 2, splitFrom: 0 })
  t.ok(sameBits(withProperty(process, 'getBuiltinModule', modules, () => product(engine)) ?? [], expected))
  t.match(engine.fallbackReason, /could not be started: Error: no more threads/)
  t.throws(() => wasmEngine({ threads: 0 }), RangeError)
  t.equal(wasmEngine().threads, 1, 'one unless said')
  t.ok(wasmEngine({ threads: 'auto' }).threads >= 1)
  t.end()
})
