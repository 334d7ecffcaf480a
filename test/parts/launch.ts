/**
 * Starts the real parts of a test: in a container where a Docker engine answers, in our root otherwise.
 * What is started, its folders and its addresses are the same in both; only `launch` knows the difference.
 */
import { Child, until } from '../../setup/children.mjs'
import { inRoot, type Program } from '../../setup/root.mjs'
import { containers } from './containers.ts'

export interface Running {
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>
  /** Ends it at once, with all its processes, as a crash would (SIGKILL). */
  kill(): Promise<void>
  /** Stops it where it is, with its sockets open (SIGSTOP), and lets it go on. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** Whether an engine is used: `SATUNOMOR_TEST_PARTS=native` or `docker` decides, else whether one answers. */
export const withContainers = await decide()

async function decide(): Promise<boolean> {
  const wanted = process.env['SATUNOMOR_TEST_PARTS']
  if (wanted === 'native') return false
  const answers = await containers.answer()
  if (wanted === 'docker' && !answers) throw new Error('SATUNOMOR_TEST_PARTS=docker, but no Docker engine answers')
  return answers
}

/** Resolves when the part is `ready`; rejects, with what it printed, when it ends first or takes longer than 30 s. */
export async function launch(name: string, program: Program, ready: () => Promise<boolean>): Promise<Running> {
  if (withContainers) return containers.launch(name, program, ready)
  const child = new Child(name, inRoot(program), { output: 'ignore' })
  await until(child, ready)
  return {
    stop: () => child.stop(),
    kill: async () => {
      if (!child.exit) process.kill(-child.process.pid!, 'SIGKILL')       // each child leads a process group of its own
      await child.ended
    },
    freeze: async () => { child.process.kill('SIGSTOP') },
    thaw: async () => { child.process.kill('SIGCONT') }
  }
}
