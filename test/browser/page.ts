/** Runs in the browser: opens the model its server offers, decodes greedily, then stops a free run from a timer. */
import { lastValueFrom, toArray } from 'rxjs'
import { generate } from '../../pipelines/generate.ts'
import { openModelFiles } from '../../pipelines/modelFiles.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'

const names = ['config.json', 'model.safetensors', 'tokenizer.json']

const load = async (name: string): Promise<readonly [string, Uint8Array]> => [
  name,
  new Uint8Array(await (await fetch(`/files/${name}`)).arrayBuffer()),
]

const run = async (): Promise<object> => {
  const files = new Map(await Promise.all(names.map(load)))
  const engine = wasmEngine()
  const model = openModelFiles({ where: 'model', read: name => files.get(name) ?? null }, engine)
  const live = engine.counter.allocated - engine.counter.freed
  const generated = await lastValueFrom(generate(model, 'to be', { tokens: 16, greedy: true }).pipe(toArray()))

  const stopped = await new Promise<{ readonly moved: number; readonly left: number }>(resolve => {
    const subscription = generate(model, 'to be', { tokens: 16 }).subscribe()
    setTimeout(() => {
      subscription.unsubscribe()
      const before = engine.counter.launches
      setTimeout(() => {
        const { launches, allocated, freed } = engine.counter
        resolve({ moved: launches - before, left: allocated - freed - live })
      }, 50)
    }, 5)
  })
  return {
    backend: engine.backend,
    tokens: generated.map(({ token }) => token),
    text: generated.map(({ text }) => text).join(''),
    ...stopped,
  }
}

run().then(
  result => document.body.setAttribute('data-result', JSON.stringify(result)),
  (error: unknown) => document.body.setAttribute('data-result', JSON.stringify({ error: String(error) })),
)
