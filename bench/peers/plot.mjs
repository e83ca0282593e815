// Draws Vega-Lite specifications as SVG.
import { answer, need } from './answer.mjs'

const { parse, View, version } = await need('vega')
const { compile } = await need('vega-lite')

await answer(`vega ${version}`, {
  draw: async ({ spec }) => ({ svg: await new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG() }),
})
