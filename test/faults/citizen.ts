/** A citizen who dials 112 and behaves like one; keeps what they heard, and when. */
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { eventually } from '../parts/city.ts'
import { voice } from '../real/stage.ts'
import { citizensVoice, countsFrom, voiceOf, type Ground } from './ground.ts'

const menu = 'menu-utama'
/** A citizen who hears nothing at all, not even a ring tone, hangs up after this many ms. */
const patience = 10_000

/** What was heard, in order: a prompt, or `the line bpbd-1`. Times are ms from the strike; `begun` may be before it. */
export interface Impression { what: string, begun: number, until: number }

export interface Experience {
  heard: Impression[]
  /** When the citizen pressed their key, ms from the strike. */
  pressed: number[]
  /** The human whom they heard after the strike, and who heard them. */
  talkedWith: string | null
  ended: { how: 'hung up' | 'was hung up' | 'gave up', after: number }
  /** The longest that this process itself stood still meanwhile, in ms: no time that was measured is better than that. */
  stall: number
  /** The agencies' lines that were rung, in order. */
  agencies: { line: string, answered: boolean, heardTheCitizen: boolean }[]
}

export class Citizen {
  readonly number: string
  readonly call: OutgoingCall
  /** Resolves when the first provisional response has come. */
  readonly rings: Promise<void>
  readonly #ground: Ground
  readonly #key: string
  readonly #pressed: number[] = []
  #speaking: Promise<void> | undefined

  /** Dials, and presses `key` when the menu asks. */
  constructor(ground: Ground, number: string, key: string) {
    const rings = Promise.withResolvers<void>()
    this.#ground = ground
    this.number = number
    this.#key = key
    this.rings = rings.promise
    this.call = ground.city.dial({ from: number, onProgress: () => rings.resolve() })
    void this.call.answered.then(rings.resolve, () => {})
  }

  /** The legs to agencies' lines that belong to this call. */
  get legs(): IncomingCall[] {
    return this.#ground.city.calls.filter(leg => leg.from === this.number && leg.startedAt > this.call.startedAt)
  }

  async hears(prompt: string) {
    await this.#ground.ear.hears(this.call, prompt)
  }

  press() {
    this.#pressed.push(performance.now())
    return this.call.press(this.#key)
  }

  /** Speaks until the call ends. */
  speak() {
    this.#speaking ??= (async () => { while (await this.call.say(voice(citizensVoice))); })()
  }

  /** The line whose voice was heard, beginning after `since`, while the citizen's, beginning after it too, was heard there. */
  talksWith(since: number): string | undefined {
    const { ear } = this.#ground
    const hears = (call: OutgoingCall | IncomingCall, what: string) => ear.heardOn(call).some(it => it.prompt === what && it.startedAt > since)
    return this.legs.find(leg => hears(this.call, voiceOf(leg.line)) && hears(leg, citizensVoice))?.line
  }

  /** Talks with whoever answers, for long enough that it counts. */
  async talks(): Promise<string> {
    this.speak()
    const line = await eventually('citizen and agency hear each other', async () => this.talksWith(-Infinity))
    await new Promise(counts => { setTimeout(counts, countsFrom(line)) })
    return line
  }

  /**
   * Lives on from the strike (monotonic ms): presses the key when a menu begins, talks with whoever answers, for `talksOn` ms
   * and as long as a talk must last to count, and then hangs up; gives up where nothing comes any more. Resolves when the call is over.
   */
  async livesOn(struck: number, talksOn: number): Promise<Experience> {
    const { ear } = this.#ground
    const { call } = this
    let talkedWith: string | undefined
    let since = Infinity
    let how: Experience['ended']['how'] = 'was hung up'
    let looked = struck
    let stall = 0
    if (this.legs.some(leg => ear.heardOn(leg).length > 0)) this.speak()
    while (!call.ending) {
      stall = Math.max(stall, performance.now() - looked)
      looked = performance.now()
      const heard = ear.heardOn(call)
      if (this.#asked(heard.findLast(({ prompt }) => prompt === menu)?.startedAt)) void this.press()
      if (this.legs.some(leg => heard.some(({ prompt }) => prompt === voiceOf(leg.line)))) this.speak()
      if (talkedWith ??= this.talksWith(struck + talksOn)) since = Math.min(since, performance.now())
      const talked = talkedWith !== undefined && performance.now() - since > countsFrom(talkedWith)
      const silentSince = Math.max(call.heard.at(-1)?.at ?? 0, call.startedAt, struck)
      if (talked || performance.now() - silentSince > patience) {
        how = talked ? 'hung up' : 'gave up'
        await call.hangUp()
      } else await new Promise(resolve => setTimeout(resolve, 20))
    }
    if (call.ending.by === 'here' && how === 'was hung up') how = 'hung up'
    await this.call.media.close()
    return {
      heard: ear.heardOn(call).map(({ prompt, startedAt, endedAt }) => ({ what: prompt, begun: startedAt - struck, until: endedAt - struck })),
      pressed: this.#pressed.map(at => at - struck),
      talkedWith: talkedWith ?? this.talksWith(-Infinity) ?? null,
      ended: { how, after: call.ending.at - struck },
      stall,
      agencies: this.legs.map(leg => ({
        line: leg.line, answered: this.#ground.answered.has(leg), heardTheCitizen: ear.heardOn(leg).some(({ prompt }) => prompt === citizensVoice)
      }))
    }
  }

  /** A menu is answered once each time that it begins. */
  #asked(menuBegan: number | undefined): boolean {
    return menuBegan !== undefined && menuBegan > (this.#pressed.at(-1) ?? -Infinity)
  }
}
