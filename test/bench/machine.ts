/** What processes cost, as Linux counts it (10 ms steps). */
import { readFile } from 'node:fs/promises'

const tick = 10                     // ms; CLK_TCK is 100

/** CPU time that a process has used, all threads, user and system, ms. 0 when it is gone. */
export async function cpu(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return text ? (Number(fields[11]) + Number(fields[12])) * tick : 0
}

/** Memory of a process that is in the machine's RAM, MB. */
export async function rss(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? NaN) / 1024
}

/** CPU time of the whole machine, ms: what was worked, and what there was. */
export async function machine(): Promise<{ busy: number, all: number }> {
  const line = /^cpu +(.*)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1] ?? ''
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line.split(' ').map(Number)
  const busy = user + nice + system + irq + soft + steal
  return { busy: busy * tick, all: (busy + idle + wait) * tick }
}
