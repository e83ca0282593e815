import { InputError } from '../../src/errors.ts'

const NUMERALS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

const withArticle = (noun: string): string => `${/^(?!one\b)[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`

/** Texts that say each class, made of the classes' names: "a seven", "seven", "the digit seven", "7" of 7, "a grey cat", "grey cat" of grey_cat. */
export const captionsOf = (classes: readonly string[]): readonly (readonly string[])[] => {
  if (classes.length === 0) throw new InputError('captions: expected pictures with classes, found none')
  return classes.map(name => {
    const numeral = NUMERALS[/^\d$/.test(name) ? Number(name) : -1]
    const noun = numeral ?? name.replace(/[_-]+/g, ' ')
    return [withArticle(noun), noun, ...(numeral === undefined ? [] : [`the digit ${numeral}`, name])]
  })
}
