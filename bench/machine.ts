/** What the figures were measured on. */
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, release } from 'node:os'

export const machine = (): string =>
  `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, ${process.platform} ${release()} ${process.arch}, Node ${process.versions.node}`

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
