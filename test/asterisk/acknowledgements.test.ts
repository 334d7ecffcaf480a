/** No line rings for a call that nobody acknowledges, and no other call waits for that. */
import { expect, test, vi } from 'vitest'
import { Acknowledgements } from '../../src/asterisk/acknowledgements.ts'

const never = new AbortController().signal
const settled = async (promise: Promise<void>) => {
  let done = false
  void promise.then(() => { done = true })
  await vi.advanceTimersByTimeAsync(0)
  return () => done
}

test('a call goes on at once where its ACK is there, or nothing is known of it', async () => {
  const known = new Acknowledgements()
  await known.until('PJSIP/carrier-1', never)
  known.answered('PJSIP/carrier-2')
  known.acknowledged('PJSIP/carrier-2')
  await known.until('PJSIP/carrier-2', never)
})

test('while our answer is repeated a call waits; it goes on when the ACK comes, or when it is hung up', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const known = new Acknowledgements()
    const call = new AbortController()
    known.answered('a')
    known.answered('b')
    const [one, other] = [await settled(known.until('a', never)), await settled(known.until('b', call.signal))]
    for (const ms of [100, 200, 400, 800, 1_600]) {
      await vi.advanceTimersByTimeAsync(ms)
      known.answered('a')
      known.answered('b')
      expect([one(), other()]).toEqual([false, false])
    }
    known.acknowledged('a')
    call.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect([one(), other()]).toEqual([true, true])
  } finally {
    vi.useRealTimers()
  }
})

test('where our answer is repeated no more, the ACK has come and its copy is lost: the call goes on', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const known = new Acknowledgements()
    known.answered('a')
    const done = await settled(known.until('a', never))
    await vi.advanceTimersByTimeAsync(450)
    expect(done()).toBe(false)
    await vi.advanceTimersByTimeAsync(100)
    expect(done()).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})
