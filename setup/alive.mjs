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
 * Whether something speaks at a TCP address as it should: its first words, after `question` if there is one, begin so.
 * @param {{ host: string, port: number }} address @param {string} expected @param {string} [question] @returns {Promise<boolean>}
 */
export function speaks({ host, port }, expected, question = '') {
  return new Promise(resolve => {
    const socket = connect({ host, port }, () => { if (question) socket.write(question) })
    socket.setTimeout(answerTime, () => socket.destroy())
    socket.once('data', data => { resolve(data.toString('latin1').startsWith(expected)); socket.destroy() })
    socket.on('error', () => {})
    socket.on('close', () => resolve(false))
  })
}
