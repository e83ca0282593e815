/**
 * A step with explicit memory (Mealy machine): decoder, sampler, optimizer, schedule, detokenizer, trainer, reverse diffusion.
 * A step consumes its state: tensors of the old state may have been written in place, and stepping it again throws.
 * Laws: S6.
 */
export interface Machine<S, A, B> {
  readonly init: () => S
  readonly step: (state: S, input: A) => readonly [output: B, state: S]
}

/** The machine that remembers nothing. */
export const pure = <A, B>(f: (input: A) => B): Machine<null, A, B> => ({
  init: () => null,
  step: (_, input) => [f(input), null],
})

/** `second` after `first`: their states side by side. Law S6: `loop(chain(m, n)) = loop(n) . loop(m)`. */
export const chain = <S, A, B, T, C>(
  first: Machine<S, A, B>,
  second: Machine<T, B, C>,
): Machine<readonly [S, T], A, C> => ({
  init: () => [first.init(), second.init()],
  step: ([s, t], input) => {
    const [between, nextS] = first.step(s, input)
    const [output, nextT] = second.step(t, between)
    return [output, [nextS, nextT]]
  },
})
