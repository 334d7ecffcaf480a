/** What a call may rely on of a `Channel`: the fake keeps it, and the real one does. A surprise in reality becomes a line here. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Hangup, type Channel, type Returned } from '../../src/calls/channel.ts'

/** An exchange where a caller is taken by the test itself, in place of the switchboard. */
export interface Bench extends AsyncDisposable {
  /** Somebody dials; resolves when the call is in the service's hands, answered. */
  caller(): Promise<Handled>
  /** All lines of Halo Wali Kota (`wali-kota`: hallo-1) do so from now on. */
  lines(behaviour: 'answers' | 'busy'): void
}

export interface Handled {
  channel: Channel
  presses(digit: string): void
  hangsUp(): void
  /** Resolves when the call comes back from an agency's lines. */
  returned: Promise<Returned>
  /** The agency that talks with the caller hangs up. */
  agencyHangsUp(): void
  /** Resolves when caller and agency talk. */
  talking(): Promise<void>
}

const never = new AbortController().signal

export function contract(open: () => Promise<Bench>) {
  let bench: Bench
  beforeAll(async () => { bench = await open() })
  afterAll(async () => { await bench[Symbol.asyncDispose]() })

  const gone = (channel: Channel) => new Promise<unknown>(resolve => {
    if (channel.hungUp.aborted) resolve(channel.hungUp.reason)
    else channel.hungUp.addEventListener('abort', () => resolve(channel.hungUp.reason), { once: true })
  })

  test('prompts are played one after the other, and play resolves after the last', async () => {
    const { channel, hangsUp } = await bench.caller()
    await channel.play(['tidak-valid', 'tidak-valid'], never)
    hangsUp()
    expect(await gone(channel)).toBeInstanceOf(Hangup)
  })

  test('play ends as soon as it is stopped, and something else can be played at once', async () => {
    const { channel, hangsUp } = await bench.caller()
    const stop = new AbortController()
    const played = channel.play(['menu-utama', 'menu-utama', 'menu-utama'], stop.signal)
    stop.abort()
    await played
    await channel.play(['tidak-valid'], never)
    hangsUp()
    await gone(channel)
  })

  test('play that is stopped before it began plays nothing', async () => {
    const { channel, hangsUp } = await bench.caller()
    await channel.play(['menu-utama'], AbortSignal.abort())
    hangsUp()
    await gone(channel)
  })

  test('keys are heard while a prompt plays, in order', async () => {
    const { channel, presses, hangsUp } = await bench.caller()
    const digits: string[] = []
    const three = new AbortController()
    channel.onDigit(digit => { if (digits.push(digit) === 3) three.abort() })
    const played = channel.play(['sambutan', 'menu-utama'], three.signal)
    for (const digit of '1*3') presses(digit)
    await played
    expect(digits).toEqual(['1', '*', '3'])
    hangsUp()
    await gone(channel)
  })

  test('a language is taken while a prompt plays, and the next one is heard in it', async () => {
    const { channel, hangsUp } = await bench.caller()
    const stop = new AbortController()
    const played = channel.play(['menu-utama'], stop.signal)
    stop.abort()
    await played
    await channel.speak('en')
    await channel.play(['tidak-valid'], never)
    hangsUp()
    await gone(channel)
  })

  test('a caller who hangs up ends the prompt, and every further verb is a Hangup', async () => {
    const { channel, hangsUp } = await bench.caller()
    const played = channel.play(['menu-utama'], channel.hungUp)
    hangsUp()
    await played.catch(error => expect(error).toBeInstanceOf(Hangup))
    await gone(channel)
    for (const verb of [() => channel.play(['sambutan'], never), () => channel.remember('menu:utama'), () => channel.speak('en'), () => channel.ring('wali-kota')]) {
      await expect(verb()).rejects.toBeInstanceOf(Hangup)
    }
  })

  test('hanging up a caller who is gone is no fault', async () => {
    const { channel, hangsUp } = await bench.caller()
    hangsUp()
    await gone(channel)
    await channel.hangUp()
  })

  test('a call that is given to the dialplan is still there, and comes back when nobody answers', async () => {
    bench.lines('busy')
    const { channel, returned, hangsUp } = await bench.caller()
    await channel.ring('wali-kota')
    expect(await returned).toMatchObject({ agency: 'wali-kota', status: 'BUSY' })
    expect(channel.hungUp.aborted).toBe(false)
    await channel.play(['maaf-akhir'], AbortSignal.abort())
    await channel.play(['tidak-valid'], never)
    hangsUp()
    await gone(channel)
  })

  test.each(['caller', 'agency'])('the end of a conversation is heard, when the %s hangs up', async who => {
    bench.lines('answers')
    const { channel, talking, hangsUp, agencyHangsUp } = await bench.caller()
    await channel.ring('wali-kota')
    await talking()
    expect(channel.hungUp.aborted).toBe(false)
    if (who === 'caller') hangsUp()
    else agencyHangsUp()
    expect(await gone(channel)).toBeInstanceOf(Hangup)
  })

  test('we can hang up', async () => {
    const { channel } = await bench.caller()
    await channel.hangUp()
    expect(await gone(channel)).toBeInstanceOf(Hangup)
  })
}
