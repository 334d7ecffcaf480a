/**
 * An ear: recognises our prompts in what a telephone hears, byte for byte.
 *
 * Asterisk plays raw `.alaw` files and relays A-law unchanged, so what arrives is the file itself, cut into frames.
 * Every prompt is indexed by short fingerprints at fixed distances; a frame that holds one is compared with the whole
 * stretch of the prompt around it, at whatever byte it begins. So it does not matter where the frames were cut
 * (music on hold cuts elsewhere), and lost frames only leave gaps. Silence is never taken for a prompt.
 */
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Call } from './softphone.ts'
import { FRAME, type Frame } from './rtp.ts'

/**
 * A prompt, or the part of it that was heard. `from` and `to` are ms in the prompt, `length` is all of it;
 * `startedAt` and `endedAt` are monotonic ms, as the frames' `at`; `frames` is how many audible ones were recognised.
 */
export interface Heard { prompt: string, from: number, to: number, length: number, startedAt: number, endedAt: number, frames: number }

/** Recognised frames that make a prompt heard: 100 ms of sound. */
const ENOUGH = 5
/** Bytes of a fingerprint, and from one to the next: every frame of 160 bytes holds at least one. */
const MARK = 8
const STEP = 80
/** A fingerprint that is found at more places than this says nothing. */
const COMMON = 12
/** The longest gap inside a prompt that still is the same playing of it, in bytes, and how late a frame may be, in ms. */
const GAP = 3 * 8_000
const LATE = 1_000

interface Place { prompt: string, sound: Buffer, at: number }
/** One playing of a prompt, as far as it was followed: the bytes [start, next) of it. */
interface Run { prompt: string, sound: Buffer, start: number, next: number, frames: number, startedAt: number, endedAt: number }

/** Every `*.alaw` of a folder by its base name; `prefix` comes before each name. A folder that is not there has none. */
export async function loadPrompts(folder: string, prefix = ''): Promise<Map<string, Buffer>> {
  const files = await readdir(folder).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const sounds = files.filter(file => file.endsWith('.alaw')).sort()
  return new Map(await Promise.all(sounds.map(async file =>
    [prefix + basename(file, '.alaw'), await readFile(join(folder, file))] as const)))
}

export class Ear {
  readonly #prompts: Map<string, Buffer>
  readonly #index = new Map<string, Place[]>()
  readonly #calls = new WeakMap<Call, Listening>()

  constructor(prompts: Map<string, Buffer>) {
    this.#prompts = prompts
    for (const [prompt, sound] of prompts) {
      for (let at = 0; at + MARK <= sound.length; at += STEP) {
        const mark = sound.subarray(at, at + MARK)
        if (!audible(mark)) continue
        const places = this.#index.get(mark.toString('latin1')) ?? []
        places.push({ prompt, sound, at })
        this.#index.set(mark.toString('latin1'), places)
      }
    }
    for (const [mark, places] of this.#index) if (places.length > COMMON) this.#index.delete(mark)
  }

  /** What is heard in these frames, in the order in which it began. */
  listen(frames: readonly Frame[]): Heard[] {
    const listening = new Listening(this.#index)
    for (const frame of frames) listening.take(frame)
    return listening.heard()
  }

  /** What was heard on a call until now; it is followed from then on, each frame looked at once. */
  heardOn(call: Call): Heard[] {
    return this.#follow(call).heard()
  }

  /**
   * Resolves as soon as the prompt is recognised on the call (also when that was before asking); with `after`
   * (monotonic ms), only a playing that began after that. Rejects, with what was heard instead, after `within` ms
   * or when the call ends.
   */
  async hears(call: Call, prompt: string, { within = 10_000, after = -Infinity } = {}): Promise<Heard> {
    const sound = this.#prompts.get(prompt)
    if (!sound) throw new RangeError(`this ear knows no prompt "${prompt}", only: ${[...this.#prompts.keys()].join(', ')}`)
    const listening = this.#follow(call)
    const { promise, resolve, reject } = Promise.withResolvers<Heard>()
    const look = () => {
      const found = listening.heard().find(it => it.startedAt > after && (it.prompt === prompt || sound.equals(this.#prompts.get(it.prompt)!)))
      if (found) resolve({ ...found, prompt })
    }
    const fail = (why: string) => {
      const instead = listening.heard().map(describe).join('; ')
      reject(new Error(`did not hear "${prompt}" ${why}; heard ${instead || `no prompt in ${call.heard.length} frames`}`))
    }
    const timer = setTimeout(() => fail(`within ${within / 1000} s`), within)
    const unwatch = listening.watch(look)
    void call.ended.then(({ by }) => fail(`before the call was ended from ${by}`))
    look()
    return promise.finally(() => { clearTimeout(timer); unwatch() })
  }

  #follow(call: Call): Listening {
    let listening = this.#calls.get(call)
    if (!listening) {
      const first = listening = new Listening(this.#index)
      for (const frame of call.heard) first.take(frame)
      call.onFrame(frame => first.take(frame))
      this.#calls.set(call, first)
    }
    return listening
  }
}

/** "menu-utama, first 1.2 s of 6.8 s" */
export function describe({ prompt, from, to, length }: Heard): string {
  const s = (ms: number) => (ms / 1000).toFixed(1)
  if (from > 200) return `${prompt}, ${s(from)} s to ${s(to)} s of ${s(length)} s`
  return to > length - 500 ? `${prompt}, all ${s(length)} s` : `${prompt}, first ${s(to)} s of ${s(length)} s`
}

/** One stream of frames, listened to as they come. */
class Listening {
  readonly #index: Map<string, Place[]>
  readonly #runs: Run[] = []
  readonly #watchers = new Set<() => void>()

  constructor(index: Map<string, Place[]>) {
    this.#index = index
  }

  /** Calls `watcher` when more of a prompt was recognised. */
  watch(watcher: () => void) {
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  take({ alaw, at }: Frame) {
    if (!audible(alaw)) return
    // Prompts that begin alike are followed side by side until they differ.
    const going = this.#runs.filter(run => at - run.endedAt < LATE && fits(alaw, run.sound, run.next))
    if (going.length > 0) for (const run of going) extend(run, alaw.length, at)
    else for (const place of this.#places(alaw)) this.#found(place, alaw.length, at)
    for (const watcher of this.#watchers) watcher()
  }

  /** Where in the prompts this very sound is: at most one place in each, the first. */
  #places(alaw: Buffer): Place[] {
    const places = new Map<string, Place>()
    const text = alaw.toString('latin1')
    for (let from = 0; from + MARK <= alaw.length; from++) {
      for (const { prompt, sound, at } of this.#index.get(text.slice(from, from + MARK)) ?? []) {
        if (!places.has(prompt) && fits(alaw, sound, at - from)) places.set(prompt, { prompt, sound, at: at - from })
      }
    }
    return [...places.values()]
  }

  #found({ prompt, sound, at: place }: Place, bytes: number, at: number) {
    const run = this.#runs.findLast(it => it.prompt === prompt)
    const gap = run ? place - run.next : -1
    if (run && gap >= 0 && gap <= GAP && at - run.endedAt < gap / 8 + LATE) {
      run.next = place
      extend(run, bytes, at)
    } else this.#runs.push({ prompt, sound, start: place, next: place + bytes, frames: 1, startedAt: at, endedAt: at + bytes / 8 })
  }

  /** Of runs that stand for the same stretch of time, only the one that explains most of it counts. */
  heard(): Heard[] {
    const chosen: Run[] = []
    for (const run of this.#runs.filter(it => it.frames >= ENOUGH).sort((a, b) => b.frames - a.frames)) {
      const within = (other: Run) =>
        Math.min(run.endedAt, other.endedAt) - Math.max(run.startedAt, other.startedAt) > (run.endedAt - run.startedAt) / 2
      if (!chosen.some(other => within(other) && (other.frames > run.frames || other.sound.equals(run.sound)))) chosen.push(run)
    }
    // Two that are still alike are not told apart yet, and neither is heard.
    const told = chosen.filter(run => !chosen.some(other => other !== run && other.startedAt === run.startedAt && other.frames === run.frames))
    return told.map(({ prompt, sound, start, next, frames, startedAt, endedAt }) => {
      // The silence that a prompt begins with was heard, too.
      const lead = leadOf(sound)
      const from = lead > 0 && start <= lead + FRAME ? 0 : Math.max(0, start)
      return { prompt, from: from / 8, to: Math.min(next, sound.length) / 8, length: sound.length / 8, startedAt: startedAt - (Math.max(0, start) - from) / 8, endedAt, frames }
    }).sort((a, b) => a.startedAt - b.startedAt)
  }
}

const leads = new WeakMap<Buffer, number>()
/** How many bytes of silence a sound begins with. */
function leadOf(sound: Buffer): number {
  let lead = leads.get(sound)
  if (lead === undefined) {
    for (lead = 0; lead < sound.length && !audible(sound.subarray(lead, lead + FRAME)); lead += STEP);
    leads.set(sound, lead)
  }
  return lead
}

function extend(run: Run, bytes: number, at: number) {
  run.next += bytes
  run.frames++
  run.endedAt = at + bytes / 8
}

/** Whether the frame is what the sound has at that place; it may begin before the sound or end after it by half. */
function fits(alaw: Buffer, sound: Buffer, place: number): boolean {
  const from = Math.max(0, -place)
  const to = Math.min(alaw.length, sound.length - place)
  return to - from >= Math.max(MARK, alaw.length / 2) && alaw.compare(sound, place + from, place + to, from, to) === 0
}

/** More than a hum: a tenth of the samples, and at least four, are well above silence (A-law magnitude 0…127). */
function audible(alaw: Buffer): boolean {
  let loud = 0
  for (const byte of alaw) if (((byte ^ 0x55) & 0x7f) > 8) loud++
  return loud >= Math.max(4, alaw.length / 10)
}
