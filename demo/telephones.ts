/**
 * The demo's telephones, a process of its own: the agencies' old lines behind two gateways, and the citizens whom the
 * carrier reaches. Both answer by themselves, say who they are and then repeat what they hear, so that a caller hears
 * themself; they press 1 as a callback, or the plan's acceptKey, asks for, and a citizen who was rung hangs up by and by. One JSON line on stdout for each thing that happens; SIGTERM or SIGINT hangs up and ends it.
 *
 *     node demo/telephones.ts [--carrier 127.0.0.2:5060] [--gateway 127.0.0.3:5060]
 *                             [--gateway-2 127.0.0.4:5060] [--sounds var/sounds]
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadPrompts } from './ear.ts'
import { FRAME } from './rtp.ts'
import { loopback, type Address } from './sip.ts'
import { Softphone, type IncomingCall } from './softphone.ts'
import { whyOff } from './wanted.mjs'

/** How long they ring before somebody is there, in ms. */
const RINGS = { gateway: 1_000, carrier: 2_000 }
/** After so long, in ms, whoever picked up presses 1 (a callback asks for it, other calls take no notice) … */
const PRESSES = 3_000
/** The mobiles among the lines: the plan asks them to accept a call by key 1. They listen first, press it, and speak then. */
const MOBILES = new Set(['ambulans-2', 'bpbd-2'])
/** … and a citizen hangs up. */
const LEAVES = 20_000
/** An echo that has fallen this many frames behind drops some, so that it stays an echo. */
const ECHO_DEPTH = 5
const CITIZEN = 'warga'

/** What happens on the telephones. `line` is the number that was dialled, `from` the caller's. */
export interface Happening {
  event: 'ringing' | 'answered' | 'refused' | 'key' | 'ended'
  telephone: 'carrier' | 'gateway'
  line: string
  from: string
  /** With `key`. */
  digit?: string
  /** With `ended` and `refused`. */
  by?: 'here' | 'there'
  status?: number
}

export interface Telephones extends AsyncDisposable { carrier: Softphone, gateway: Softphone, lines: string[] }

/** Opens both. Throws, with what to do about it, where an address is taken. `rings` is in ms. */
export async function openTelephones({ carrier, gateway, gateway2, sounds, tell = () => {}, rings = RINGS }: {
  carrier: Address, gateway: Address, gateway2?: Address, sounds: string, tell?: (happening: Happening) => void, rings?: typeof RINGS
}): Promise<Telephones> {
  const spoken = await loadPrompts(join(sounds, 'telephones'))
  const written = await readdir(join(import.meta.dirname, 'sentences'))
  const known = new Set([...spoken.keys(), ...written.filter(file => file.endsWith('.txt')).map(file => file.slice(0, -'.txt'.length))])
  known.delete(CITIZEN)

  await using opened = new AsyncDisposableStack()
  const citizens = opened.use(await openAt('carrier', carrier))
  const agencies = opened.use(await openAt('gateway', gateway))
  const second = gateway2 ? opened.use(await openAt('gateway-2', gateway2)) : undefined
  for (const phone of [agencies, second]) {
    phone?.onCall(call => known.has(call.line)
      ? pickUp(call, 'gateway', spoken.get(call.line) ?? tone(call.line), rings.gateway, tell)
      : refuse(call, tell))
  }
  citizens.onCall(call => pickUp(call, 'carrier', spoken.get(CITIZEN) ?? tone(CITIZEN), rings.carrier, tell))

  const all = opened.move()
  return { carrier: citizens, gateway: agencies, lines: [...known].sort(), [Symbol.asyncDispose]: () => all.disposeAsync() }
}

async function openAt(name: string, { address, port }: Address): Promise<Softphone> {
  try {
    return await Softphone.open({ address, port })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE') throw error
    throw new Error(`the demo's ${name} telephones cannot have ${address}:${port} (UDP): another program has it. ` +
      'End that program, or start without the demo\'s telephones: SATUNOMOR_PHONES=off npm start', { cause: error })
  }
}

/** Rings, answers, says the sentence, then echoes until somebody hangs up. */
async function pickUp(call: IncomingCall, telephone: 'carrier' | 'gateway', sentence: Buffer, ms: number, tell: (happening: Happening) => void) {
  const { line, from } = call
  call.ring()
  tell({ event: 'ringing', telephone, line, from })
  void call.ended.then(({ by, status }) => tell({ event: 'ended', telephone, line, from, by, ...status === undefined ? {} : { status } }))

  const rung = Promise.withResolvers<void>()
  const timer = setTimeout(rung.resolve, ms)
  await Promise.race([rung.promise, call.ended])
  clearTimeout(timer)
  if (call.ending || !await call.answer()) return
  tell({ event: 'answered', telephone, line, from })

  const pressed = Promise.withResolvers<void>()
  const timers = [setTimeout(() => { void call.press('1').then(() => pressed.resolve()) }, PRESSES), ...telephone === 'carrier' ? [setTimeout(() => { void call.hangUp() }, LEAVES)] : []]
  void call.ended.then(() => {
    timers.forEach(clearTimeout)
    pressed.resolve()
  })

  let keys = 0
  call.onFrame(() => {
    for (const { digit } of call.keys.slice(keys)) tell({ event: 'key', telephone, line, from, digit })
    keys = call.keys.length
  })
  if (MOBILES.has(line)) await pressed.promise
  if (await call.say(sentence)) call.onFrame(({ alaw }) => { if (call.media.toSay < ECHO_DEPTH) void call.say(alaw) })
}

function refuse(call: IncomingCall, tell: (happening: Happening) => void) {
  tell({ event: 'refused', telephone: 'gateway', line: call.line, from: call.from, by: 'here', status: 404 })
  return call.refuse(404)
}

/**
 * What a line says that has no recorded sentence yet: 1.5 s of a tone, each line's own. It is a square wave, of the
 * two A-law bytes that are ±1,000 or so, since that needs no arithmetic.
 */
function tone(line: string): Buffer {
  const half = 5 + [...line].reduce((sum, char) => sum + char.charCodeAt(0), 0) % 12
  return Buffer.from(Array.from({ length: 75 * FRAME }, (_, at) => Math.floor(at / half) % 2 ? 0xfa : 0x7a))
}

/** "127.0.0.2:5060", read; throws a RangeError that says what was wrong. */
export function readAddress(text: string): Address {
  const [, address = '', port = '5060'] = /^([\d.]+)(?::(\d+))?$/.exec(text) ?? []
  const read = loopback({ address, port: Number(port) })
  if (!read) throw new RangeError(`"${text}" is not an address of this machine with a port, such as 127.0.0.2:5060`)
  return read
}

/** A number as it may stand in a log: its last three digits. */
const redacted = (number: string) => number.replace(/\d(?=\d{3})/g, '…').replace(/…+/g, '…')

async function main() {
  const { SATUNOMOR_CARRIER = '127.0.0.2:5060', SATUNOMOR_GATEWAY = '127.0.0.3:5060', SATUNOMOR_GATEWAY_2 = '127.0.0.4:5060', SATUNOMOR_SOUNDS, SATUNOMOR_PHONES } = process.env
  const { values } = parseArgs({
    options: {
      carrier: { type: 'string', default: SATUNOMOR_CARRIER },
      gateway: { type: 'string', default: SATUNOMOR_GATEWAY },
      'gateway-2': { type: 'string', default: SATUNOMOR_GATEWAY_2 },
      sounds: { type: 'string', default: SATUNOMOR_SOUNDS ?? join(import.meta.dirname, '../var/sounds') }
    }
  })
  const print = (line: object) => console.log(JSON.stringify({ time: new Date().toISOString(), ...line }))
  const off = whyOff(SATUNOMOR_PHONES, values.sounds)
  if (off !== undefined) return print({ event: 'off', why: off })
  const { promise: signal, resolve } = Promise.withResolvers<string>()
  // On and not once: from a terminal the signal comes twice, and the second must not end it before it has hung up.
  process.on('SIGTERM', resolve)
  process.on('SIGINT', resolve)

  await using phones = await openTelephones({
    carrier: readAddress(values.carrier), gateway: readAddress(values.gateway), gateway2: readAddress(values['gateway-2']), sounds: values.sounds,
    tell: ({ line, from, ...happening }) => print({ ...happening, line: redacted(line), from: redacted(from) })
  })
  print({ event: 'ready', carrier: values.carrier, gateway: values.gateway, 'gateway-2': values['gateway-2'], lines: phones.lines })
  print({ event: 'stopping', signal: await signal })
}

if (import.meta.main) {
  main().then(() => process.exit(0), (error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}
