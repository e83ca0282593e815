/**
 * Functions of f32 that keep NaN, so that a run that diverged shows it. WGSL lets an implementation assume that there is none: then `max` and
 * `min` take the other operand, and `exp`, `tanh` and `log` make a number of it. Bits are integers, of which nothing is assumed.
 */
export const NUMBERS = `
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn maxOf(x: f32, y: f32) -> f32 { return select(select(max(x, y), y, isNan(y)), x, isNan(x)); }
fn minOf(x: f32, y: f32) -> f32 { return select(select(min(x, y), y, isNan(y)), x, isNan(x)); }
fn expOf(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }
fn tanhOf(x: f32) -> f32 { return select(tanh(x), x, isNan(x)); }
fn sqrtOf(x: f32) -> f32 { return select(sqrt(x), nanOf(x), isNan(x) || bitcast<u32>(x) > 0x80000000u); }
fn logOf(x: f32) -> f32 { return select(log(x), nanOf(x), isNan(x) || bitcast<u32>(x) > 0x80000000u); }
fn nanOf(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u); }`

/** The text of a kernel of gpu.js with these functions for WGSL's. */
export const keepingNaN = (wgsl: string): string =>
  `${wgsl.replace(/\b(max|min|exp|tanh|sqrt|log)\(/g, '$1Of(')}${NUMBERS}\n`
