import type { Named } from '../../src/context.ts'
import { InputError } from '../../src/errors.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import { mapNamed } from './optimizer.ts'

/**
 * p + u by name, consuming the parameters that have an update: in place where nobody else holds them. The others are handed on.
 * An update of no parameter is an InputError.
 */
export const applyUpdate = (parameters: Named, update: Named): Named => {
  for (const name in update)
    if (parameters[name] === undefined)
      throw new InputError(`update of ${name}: expected a parameter of that name, found none`)
  return mapNamed(parameters, (parameter, name) => {
    const change = update[name]
    return change === undefined ? parameter : accumulate(parameter, change)
  })
}
