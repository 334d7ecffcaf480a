/** Runs a tool: its input goes in by stdin, its output comes back by stdout. Where the tools live elsewhere (in a chroot, in a container), give another function of this shape. */
import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'

export type Run = (command: string, args: string[], options: { input: Buffer | string }) => Promise<Buffer>

/** Rejects with `ToolFailed` when the tool is missing, is killed, or ends with anything but 0. */
export const run: Run = (command, args, { input }) => new Promise((resolve, reject) => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  givesWay(child.pid)
  const output: Buffer[] = []
  const complaints: Buffer[] = []
  child.stdout.on('data', chunk => output.push(chunk))
  child.stderr.on('data', chunk => complaints.push(chunk))
  child.stdin.on('error', () => {})  // it ended before it read everything; its exit code says why
  child.on('error', error => reject(new ToolFailed(command, (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not installed' : error.message)))
  child.on('close', (code, signal) => {
    if (code === 0) return resolve(Buffer.concat(output))
    const said = Buffer.concat(complaints).toString().trim().slice(-500)
    reject(new ToolFailed(command, `ended with ${signal ?? code}${said && `: ${said}`}`))
  })
  child.stdin.end(input)
})

/** What is spoken and tried for a plan gives way to calls. The service goes before others (src/main.ts), and so would its children. */
export function givesWay(pid: number | undefined) {
  if (pid === undefined) return            // it could not be started, which is told elsewhere
  try {
    setPriority(pid, 10)
  } catch (error) {
    if ((error as { info?: { code?: string } }).info?.code !== 'ESRCH') throw error          // it has ended already
  }
}

export class ToolFailed extends Error {
  override name = 'ToolFailed'
  readonly command: string

  constructor(command: string, what: string) {
    super(`${command} ${what}`)
    this.command = command
  }
}
