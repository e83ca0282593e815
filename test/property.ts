/** fast-check properties as tape assertions: one line when they hold, seed and counter-example when they do not. */
import fc from 'fast-check'
import type { Test } from 'tape'

/** Asserts that a property holds. */
export const holds = <T>(t: Test, name: string, property: fc.IProperty<T>, parameters: fc.Parameters<T> = {}): void => {
  const result = fc.check(property, parameters)
  if (result.failed) t.fail(`${name}\n${fc.defaultReportMessage(result)}`)
  else t.pass(`${name} (${result.numRuns} runs)`)
}

/** Asserts that a property is broken by some input: the negative control of a law. */
export const breaks = <T>(
  t: Test,
  name: string,
  property: fc.IProperty<T>,
  parameters: fc.Parameters<T> = {},
): void => {
  t.ok(fc.check(property, parameters).failed, `negative control: ${name}`)
}
