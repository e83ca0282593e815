/**
 * Processors are endomorphisms of logits, and compose as a monoid with `unchanged` as its unit (law G1; not commutative).
 *
 * A processor consumes its logits: it may write over them and return them, so that a chain of them makes no garbage. A removed token has
 * logit -Infinity. `previous` are the ids before, prompt included, oldest first.
 */
export type Processor = (logits: Float64Array, previous: readonly number[]) => Float64Array

/** The unit. */
export const unchanged: Processor = logits => logits

/** Processors in order, the first first. */
export const composeProcessors = (...processors: readonly Processor[]): Processor => {
  const [first = unchanged, ...others] = processors.filter(processor => processor !== unchanged)
  if (others.length === 0) return first
  return (logits, previous) => others.reduce((x, processor) => processor(x, previous), first(logits, previous))
}
