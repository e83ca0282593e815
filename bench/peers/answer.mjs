// The peer's side of peer.ts in JavaScript: greets, then answers one JSON line with one JSON line.
import { createInterface } from 'node:readline'

const say = answer => process.stdout.write(`${JSON.stringify(answer)}\n`)

/** The module, or a greeting that says it is absent, and the end. */
export const need = async name => {
  try {
    return await import(name)
  } catch (error) {
    say({ absent: `${name}: ${error.message.split('\n')[0]}` })
    return process.exit(0)
  }
}

export const answer = async (ready, operations) => {
  say({ ready })
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: operation, ...request } = JSON.parse(line)
    try {
      say(await operations[operation](request))
    } catch (error) {
      say({ error: String(error.message ?? error) })
    }
  }
}
