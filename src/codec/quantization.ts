/**
 * `quantization_config` of config.json: which weights are stored in 8-bit blocks, `<name>` (I8) with `<name>.scales` (F16). Absent in models that are
 * not quantized, and then absent from the file again. Other methods would compute something else and are refused.
 */
import * as t from 'io-ts'
import { nullable, only } from './fields.ts'

const Quantization = nullable(
  t.exact(t.type({ quant_method: only('q8_0'), block_size: only(32) }), 'a quantization that is supported'),
)

type Quantization = t.TypeOf<typeof Quantization>

export const QuantizationConfig = new t.Type<Quantization, t.OutputOf<typeof Quantization> | undefined, unknown>(
  Quantization.name,
  Quantization.is,
  Quantization.validate,
  value => (value === null ? undefined : Quantization.encode(value)),
)

/** What this project writes. */
export const Q8_0: NonNullable<Quantization> = { quant_method: 'q8_0', block_size: 32 }
