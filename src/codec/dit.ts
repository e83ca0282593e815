/** config.json of a diffusion transformer, fields named as in its code. Source: Peebles & Xie, arXiv 2212.09748. */
import * as t from 'io-ts'
import { only, positiveInteger, withDefault, withRules } from './fields.ts'
import { pictureFields } from './picture.ts'

const fields = {
  model_type: withDefault(only('dit'), 'dit'),
  ...pictureFields,
  /** Side of a patch in pixels. */
  patch_size: positiveInteger,
  hidden_size: positiveInteger,
  depth: positiveInteger,
  num_heads: positiveInteger,
  /** Width of the feed-forward layers over `hidden_size`. */
  mlp_ratio: withDefault(positiveInteger, 4),
  /** Columns of the table of times. */
  frequency_embedding_size: withDefault(positiveInteger, 256),
}

export const DitConfig = withRules(t.exact(t.type(fields), 'a DiT configuration'), [
  {
    field: 'hidden_size',
    holds: ({ hidden_size, num_heads }) => hidden_size % num_heads === 0 && hidden_size % 4 === 0,
    expected: ({ num_heads }) => `a multiple of 4 and of num_heads = ${num_heads}`,
    found: ({ hidden_size }) => hidden_size,
  },
  {
    field: 'patch_size',
    holds: ({ height, width, patch_size }) => height % patch_size === 0 && width % patch_size === 0,
    expected: ({ height, width }) => `a divisor of ${height} and ${width}`,
    found: ({ patch_size }) => patch_size,
  },
  {
    field: 'frequency_embedding_size',
    holds: config => config.frequency_embedding_size % 2 === 0,
    expected: () => 'an even number',
    found: config => config.frequency_embedding_size,
  },
])
export type DitConfig = t.TypeOf<typeof DitConfig>
