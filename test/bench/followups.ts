/** What the follow-ups' machinery can do: 100,000 open ones, a real Redis and SQLite, no telephones (followups-run.ts). */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Child, dyingWithUs, until } from '../../setup/children.mjs'
import { nodeEnv } from '../../setup/packages.mjs'
import { redis } from '../../setup/parts.mjs'
import { inRoot } from '../../setup/root.mjs'
import type { Quantiles } from './measure.ts'
import { addresses } from './places.ts'

export interface FollowUpFigures {
  /** Follow-ups made of the outbox a second; missed calls written, with their steps, into it. MB. */
  create: { perSecond: number, owedPerSecond: number, rss: { before: number, after: number } }
  /** ms from the due time until the exchange is asked to ring. */
  due: { late: Quantiles, rss: { before: number, after: number } }
  /** ms from the start (the store is open) until the first is queued, those that were being rung (1,000), and all; until all were worked off. */
  restart: { open: number, first: number, thousand: number, all: number, worked: number, rss: { before: number, highest: number, after: number } }
  /** The same, with a line and a channel for everybody: nothing is paced. */
  wide: FollowUpFigures['restart']
  /** Jobs a second. */
  rates: Record<'plain' | 'ours', { enqueue: number, processing: number }>
}

const run = promisify(execFile)

export async function followUpTimes(say: (line: string) => void): Promise<FollowUpFigures> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-bench-followups-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const at = { host: addresses.asterisk, port: 6390 }
  const server = new Child('redis', dyingWithUs(inRoot(redis({ folder: join(folder, 'redis'), address: at.host, port: at.port }))), { output: 'ignore' })
  opened.defer(() => server.stop())
  await until(server, () => new Promise(resolve => {
    const socket = connect(at, () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(false))
  }))
  const part = async <T>(name: string): Promise<T> => {
    const program = [join(import.meta.dirname, 'followups-run.ts'), name, folder, `redis://${at.host}:${at.port}`]
    const { stdout } = await run(process.execPath, ['--expose-gc', ...program], { env: { ...process.env, ...nodeEnv } })
      .catch((error: Error & { stdout: string, signal?: string }) => { if (name === 'kill' && error.signal === 'SIGKILL') return error; throw error })
    say(`follow-ups, ${name}: ${stdout}`)
    return JSON.parse(stdout) as T
  }
  const [create, due] = [await part<FollowUpFigures['create']>('create'), await part<FollowUpFigures['due']>('due')]
  await part('kill')
  const restart = await part<FollowUpFigures['restart']>('restart')
  const wide = await part<FollowUpFigures['restart']>('wide')
  return { create, due, restart, wide, rates: await part('rates') }
}
