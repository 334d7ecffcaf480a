/** The telephones of a callback: the desk's and the citizen's. Each comes to a point and waits there while a test wants it to. */
import type { IncomingCall } from '../../demo/softphone.ts'
import { eventually } from '../parts/city.ts'
import { voice } from '../real/stage.ts'
import { citizensVoice, voiceOf, type Ground } from './ground.ts'

/** Where a callback can be stopped. The questions: it is heard, and no key is pressed. `agency left`: the desk has hung up, once, while the citizen hears the question; `hung up`: the citizen's side has just ended. */
export type Point = 'ringing agency' | 'agency\'s question' | 'ringing citizen' | 'citizen\'s question' | 'agency left' | 'joined' | 'hung up'

/** How long the two talk, ms. */
const talk = 2_500
const desk = 'posko-1'

/** One ring at a citizen's telephone. */
export interface Ring {
  leg: IncomingCall
  /** Of the INVITE, Unix ms: the true time, and Asterisk's. */
  at: number
  inTheLedger: number
  /** The two have heard each other. */
  talked: boolean
}

export class CalledBack {
  /** All INVITEs at citizens' telephones, by number, for as long as the city stands. */
  readonly rings = new Map<string, Ring[]>()
  readonly #ground: Ground
  #stop: { at: Point, come: () => void, goOn: Promise<void> } | undefined
  #goOn = () => {}

  constructor(ground: Ground) {
    this.#ground = ground
    ground.city.carrier.onCall(leg => this.#citizen(leg))
    ground.city.line(desk, leg => this.#desk(leg))
  }

  of(number: string): Ring[] {
    return this.rings.get(number) ?? []
  }

  /** The next callback that comes there waits until `goOn`; resolves when it is there. */
  stopsAt(point: Point): Promise<void> {
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    this.#goOn = resolve
    return new Promise(come => { this.#stop = { at: point, come, goOn } })
  }

  goOn() {
    this.#stop = undefined
    this.#goOn()
  }

  async #at(point: Point) {
    if (this.#stop?.at !== point) return
    this.#stop.come()
    await this.#stop.goOn
  }

  async #desk(leg: IncomingCall) {
    leg.ring()
    await this.#at('ringing agency')
    await this.#accepts(leg, 'konfirmasi-telepon-balik', () => this.#at('agency\'s question'))
    // Where the citizen's key was not heard: it was a human.
    void this.#ground.ear.hears(leg, 'sudah-bicara', { within: 120_000 }).then(() => leg.press('1'), () => {})
    while (await leg.say(voice(desk)));
  }

  async #citizen(leg: IncomingCall) {
    const ring: Ring = { leg, at: Date.now(), inTheLedger: this.#ground.asterisksTime, talked: false }
    this.rings.set(leg.line, [...this.of(leg.line), ring])
    leg.ring()
    await this.#at('ringing citizen')
    if (!await this.#accepts(leg, 'telepon-balik', async () => { await this.#at('citizen\'s question'); await this.#deskLeaves(leg) })) return
    void (async () => { while (await leg.say(voice(citizensVoice))); })()
    ring.talked = await this.#talks(leg)
    await this.#at('joined')
    await new Promise(over => { setTimeout(over, talk) })
    await leg.hangUp()
    await this.#at('hung up')
  }

  /** Answers, and presses 1 when asked to. False where the call ended first. */
  async #accepts(leg: IncomingCall, prompt: string, before: () => Promise<void>): Promise<boolean> {
    if (!await leg.answer()) return false
    return this.#ground.ear.hears(leg, prompt).then(before).then(() => leg.press('1'), () => false)
  }

  async #deskLeaves(leg: IncomingCall) {
    if (this.#stop?.at !== 'agency left' || this.of(leg.line).length > 1) return
    await this.#ground.city.calls.findLast(other => other.line === desk && other.from === leg.line && !other.ending)?.hangUp()
    await this.#at('agency left')
  }

  /** Whether the two hear each other before the citizen's patience, or the call, is over. */
  async #talks(leg: IncomingCall): Promise<boolean> {
    const { ear, city } = this.#ground
    const hears = (call: IncomingCall, what: string) => ear.heardOn(call).some(({ prompt }) => prompt === what)
    return eventually('citizen and desk hear each other', async () =>
      leg.ending || city.calls.some(other => other.line === desk && other.from === leg.line && hears(other, citizensVoice) && hears(leg, voiceOf(desk)))
    ).then(() => leg.ending === null, () => false)
  }
}
