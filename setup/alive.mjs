// Parts that do not end but hang: whether each still answers, and what becomes of it when it does not.
import { connect } from 'node:net'

/** How long one question may take, and the time from one to the next, in ms. */
const answerTime = 3_000
const between = 2_000

/**
 * Asks again and again; a part that has not answered for `patience` ms is killed (SIGKILL: it hears nothing else), and
 * whoever waits for its end starts it again. Resolves when it has ended, or when `stopping` is aborted.
 * @param {import('./children.mjs').Child} child @param {() => Promise<boolean>} alive @param {number} patience @param {AbortSignal} stopping
 */
export async function killWhenFrozen(child, alive, patience, stopping) {
  let silentFor = 0
  while (!child.exit && !stopping.aborted) {
    const asked = performance.now()
    const answered = await withinTime(alive())
    await Promise.race([child.ended, pause(between)])
    if (child.exit || stopping.aborted) return
    // Each round counts for as long as it may take: had we ourselves been frozen, that says nothing of the part.
    silentFor = answered ? 0 : silentFor + Math.min(performance.now() - asked, answerTime + between)
    if (silentFor < patience) continue
    process.stderr.write(`${child.name} HAS NOT ANSWERED for ${Math.round(silentFor / 1000)} s: it is killed and started again\n`)
    child.process.kill('SIGKILL')
    return
  }
}

/** @param {Promise<boolean>} answer */
function withinTime(answer) {
  return Promise.race([answer.catch(() => false), pause(answerTime).then(() => false)])
}

/** @param {number} ms */
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/**
 * Whether the program at an address (TCP, or a Unix socket) does anything: greets, answers `question`, whatever it says, or closes the connection
 * (it has enough of them, perhaps somebody else's). For one that is frozen the kernel takes the connection, and that is all.
 * @param {{ host: string, port: number } | { path: string }} address @param {string} [question] @returns {Promise<boolean>}
 */
export function stirs(address, question = '') {
  return new Promise(resolve => {
    const socket = connect(address, () => { if (question) socket.write(question) })
    const answer = (/** @type {boolean} */ stirred) => { resolve(stirred); socket.destroy() }
    socket.setTimeout(answerTime, () => answer(false))
    socket.on('data', () => answer(true))
    socket.on('end', () => answer(true))
    socket.on('error', error => answer(/** @type {NodeJS.ErrnoException} */ (error).code === 'ECONNRESET'))
  })
}
