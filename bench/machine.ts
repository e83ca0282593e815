/** What the figures were measured on. */
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, release } from 'node:os'
import { setTimeout } from 'node:timers/promises'

export const machine = (): string =>
  `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, ${process.platform} ${release()} ${process.arch}, Node ${process.versions.node}`

const WATCHED_MILLISECONDS = 1000

/** The processors that others keep busy, while this process waits. A load average would count the row before. */
export const othersProcessors = async (): Promise<number> => {
  const times = () =>
    cpus().map(({ times: { idle, ...work } }) => [idle, Object.values(work).reduce((a, b) => a + b, 0)])
  const before = times()
  await setTimeout(WATCHED_MILLISECONDS)
  return times().reduce((busy, [idle = 0, work = 0], i) => {
    const [idleBefore = 0, workBefore = 0] = before[i] ?? []
    const worked = work - workBefore
    return busy + worked / Math.max(1, worked + idle - idleBefore)
  }, 0)
}

/** The commit measured, with `-dirty` where tracked files other than the results themselves differ from it. */
export const commit = (root: string): string => {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no')
      .split('\n')
      .filter(line => line !== '' && !/bench\/(results\.json|RESULTS\.md)$/.test(line))
    return git('rev-parse', '--short=12', 'HEAD').trim() + (changed.length > 0 ? '-dirty' : '')
  } catch {
    return 'unknown'
  }
}
