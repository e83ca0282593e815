import type { Named } from '../../src/context.ts'
import { InputError } from '../../src/errors.ts'
import { accumulateEach } from '../../src/kernel/lists.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

/**
 * p + u by name, consuming the parameters that have an update: in place where nobody else holds them. The others are handed on.
 * An update of no parameter is an InputError.
 */
export const applyUpdate = (parameters: Named, update: Named): Named => {
  for (const name in update)
    if (parameters[name] === undefined)
      throw new InputError(`update of ${name}: expected a parameter of that name, found none`)
  const names = Object.keys(update)
  const next = accumulateEach(
    names.map(name => parameters[name]),
    Object.values(update),
  )
  const updated: Record<string, Tensor> = { ...parameters }
  names.forEach((name, i) => {
    updated[name] = next[i]
  })
  return updated
}
