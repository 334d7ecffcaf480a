// How many files and sockets a process may hold open. Asterisk holds about five for each call: without one it refuses callers (503, 488).
// Runs on the machine's own Node (18 or later) before any package is there: it imports nothing but Node.
import { readFileSync } from 'node:fs'

const aCall = 5
/** Enough for any city: below it somebody must know. */
const enough = 4_096

/** The limit of this process, and of those that it starts; Node raises the soft limit to the hard one. @returns {number} */
export function openFiles() {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft)
}

/** What to say of a limit that is too low; undefined: it is enough. @returns {string | undefined} */
export function fewOpenFiles(limit = openFiles()) {
  if (limit >= enough) return undefined
  return `a process may open only ${limit} files: Asterisk refuses callers from about ${Math.floor(limit / aCall)} calls at once. Raise it to 65536 (LimitNOFILE= of systemd, ulimits: nofile of Docker, ulimit -n in a shell)`
}
