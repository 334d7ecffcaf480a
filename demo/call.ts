/**
 * Calls the city's number, from the carrier's side, and tells what was heard.
 *
 *     npm run call -- --press 2
 *     npm run call -- --press 9,2 --from 07215550113 --for 20s
 *
 * Ends with 0 if an agency's line was heard, else with 1 and the reason in a sentence.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describe, Ear, loadPrompts, type Heard } from './ear.ts'
import { Refused, Softphone, type OutgoingCall } from './softphone.ts'
import { readAddress } from './telephones.ts'

const usage = `npm run call -- [--press 2] [--press 9,2] [--from +627215550112] [--number 112] [--for 30s]
                [--after 1s] [--target 127.0.0.1:5060] [--address 127.0.0.2] [--sounds var/sounds] [--json]`
/** How long an agency is listened to once its sentence was recognised, in ms: longer than the shortest talk that counts. */
const LISTEN_ON = 5_000
const LINES = 'telephones/'

/** One thing that happened, `at` ms after the INVITE. */
interface Told { at: number, what: string }

function readDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?) ?(ms|s|m)?$/.exec(text) ?? []
  if (amount === undefined) throw new RangeError(`"${text}" is not a time, such as 15s`)
  return Number(amount) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm']
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      press: { type: 'string', multiple: true, default: [] },
      from: { type: 'string', default: '+627215550112' },
      number: { type: 'string', default: '112' },
      for: { type: 'string', default: '30s' },
      after: { type: 'string', default: '1s' },
      target: { type: 'string', default: '127.0.0.1:5060' },
      address: { type: 'string', default: '127.0.0.2' },
      sounds: { type: 'string', default: join(import.meta.dirname, '../var/sounds') },
      json: { type: 'boolean', default: false }
    }
  })
  const keys = values.press.flatMap(press => press.split(',')).map(key => key.trim()).filter(Boolean)
  const wrong = keys.find(key => !/^[\d*#]+$/.test(key))
  if (wrong !== undefined) throw new RangeError(`"${wrong}" cannot be pressed: keys are 0 to 9, * and #`)
  return {
    ...values, keys, patience: readDuration(values.for), pause: readDuration(values.after),
    target: readAddress(values.target), address: readAddress(values.address).address
  }
}

/** Resolves after so many ms, or as soon as the call ends or the signal aborts; true if the time went by. */
function wait(ms: number, call: OutgoingCall, stop: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(true), ms)
  stop.addEventListener('abort', () => resolve(false), { once: true })
  if (stop.aborted) resolve(false)
  void call.ended.then(() => resolve(false))
  return promise.finally(() => clearTimeout(timer))
}

async function main(): Promise<boolean> {
  const { keys, patience, pause, from, number, target, address, sounds, json } = readOptions()
  const ear = new Ear(new Map([
    ...await loadPrompts(join(sounds, 'id'), 'id/'), ...await loadPrompts(join(sounds, 'en'), 'en/'),
    ...await loadPrompts(join(sounds, 'telephones'), LINES)
  ]))
  const told: Told[] = []
  const tell = (at: number, what: string) => {
    told.push({ at: Math.round(at), what })
  }

  await using phone = await Softphone.open({ address })
  const call = phone.dial({
    to: `sip:${number}@${target.address}:${target.port}`, from,
    onProgress: ({ status, reason }) => { if (status > 100) tell(now(), status === 180 ? 'ringing' : `${status} ${reason}`) }
  })
  const now = () => performance.now() - call.startedAt
  tell(0, `dialled ${number} as ${from || 'nobody'}`)
  if (!json) console.error('On the telephone; the story follows when the call is over …')

  const isLine = ({ prompt }: Heard) => prompt.startsWith(LINES)
  const over = new AbortController()
  const overall = setTimeout(() => over.abort(), patience)
  // It stays: from a terminal the signal comes twice, and the second must not end us before we have hung up.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => over.abort())

  // What is heard is told when it is over: when something else is heard, or the call ends.
  const shown = new Set<number>()
  const tellHeard = (all: boolean) => {
    const heard = ear.heardOn(call)
    for (const [index, it] of heard.entries()) {
      const finished = all || index < heard.length - 1 || performance.now() - it.endedAt > 500
      if (!finished || shown.has(it.startedAt)) continue
      shown.add(it.startedAt)
      tell(it.startedAt - call.startedAt, isLine(it) ? `heard the line ${describe(it).slice(LINES.length)}` : `heard ${describe(it)}`)
    }
  }
  const reached = Promise.withResolvers<boolean>()
  const unfollow = call.onFrame(() => {
    tellHeard(false)
    if (ear.heardOn(call).some(isLine)) reached.resolve(true)
  })

  const pressAll = async () => {
    await call.answered
    tell(now(), 'answered')
    for (const key of keys) {
      if (!await wait(pause, call, over.signal)) return
      tell(now(), `pressed ${key}`)
      if (!await call.press(key) && !call.ending) tell(now(), 'the other side takes no keys')
    }
  }
  const pressed = pressAll().catch(error => { if (!(error instanceof Refused)) throw error })
  if (await Promise.race([reached.promise, wait(patience, call, over.signal).then(() => false)])) await wait(LISTEN_ON, call, over.signal)
  over.abort()
  clearTimeout(overall)
  await call.hangUp()
  await pressed
  unfollow()
  tellHeard(true)

  const ending = await call.ended
  const refused = ending.by === 'there' && ending.status !== undefined
  const lasted = ending.at - call.startedAt
  tell(lasted, refused ? `refused: ${ending.status} ${ending.reason}` : `hung up by ${ending.by === 'here' ? 'us' : 'the other side'}`)
  told.sort((a, b) => a.at - b.at)

  const heard = ear.heardOn(call)
  const line = heard.find(isLine)?.prompt.slice(LINES.length) ?? null
  const problem = line ? null
    : refused ? `The call was refused: ${ending.status} ${ending.reason}.`
      : call.progress.length === 0 && call.heard.length === 0 ? `Nothing answers at ${target.address}:${target.port}. Is it running (npm start)?`
        : call.heard.length === 0 ? 'The call was never heard: no sound came.'
          : heard.length > 0 ? `No agency's line was heard, only: ${heard.map(describe).join('; ')}.`
            : `Sound came, but nothing in it is a prompt or a line that is known from ${sounds}.`
  if (json) console.log(JSON.stringify({ number, from, line, endedBy: ending.by, ms: Math.round(lasted), problem, heard, told }))
  else {
    for (const { at, what } of told) console.log(`${(at / 1000).toFixed(2).padStart(7)} s  ${what}`)
    console.log(line ? `The line ${line} answered.` : problem)
  }
  return line !== null
}

if (import.meta.main) {
  main().then(reached => { process.exitCode = reached ? 0 : 1 }, (error: NodeJS.ErrnoException) => {
    console.error(error.code?.startsWith('ERR_PARSE_ARGS') || error instanceof RangeError ? `${error.message}\n${usage}` : error.message)
    process.exitCode = 1
  })
}
