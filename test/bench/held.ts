/** Calls that are held at once, with sound both ways: how much of it comes through, and what holding them costs. */
import { setTimeout as pause } from 'node:timers/promises'
import type { App, Exchange, LoopDelay } from './exchange.ts'
import { cpu, machine, rss } from './machine.ts'
import { occurrences, quantiles, sizeOf } from './measure.ts'
import { observe, type Passing, type Seen } from './observer.ts'
import { variants, type Variant } from './places.ts'
import { openAgency, openCallers } from './telephones.ts'

export interface Held {
  variant: Variant
  calls: number
  /** Calls that SIPp saw fail, or whose agency never answered. */
  failed: number
  byFallback: number
  /** Shares (0–1) of the frames looked at, within `timely`: what the caller said and the agency got, what it echoed and the caller got. */
  toAgency: number
  toCaller: number
  /** Shares of what SIPp had to do itself: frames that it said in time, and that it echoed. */
  said: number
  echoed: number
  /** ms in Asterisk, either way. */
  delay: number
  /** CPU ms a second while all were held. */
  asteriskCpu: number
  appCpu: number
  /** MB: the app's before the first call, and while all were held; Asterisk's then. */
  appRss: { before: number, held: number } | undefined
  asteriskRss: number
  /** While they came, and while they were held. */
  loopDelay: { coming: LoopDelay | undefined, held: LoopDelay | undefined } | undefined
  /** How busy the machine was while they were held, in cores: in all, by SIPp, by what is neither measured nor SIPp. */
  busyCores: number
  sippCores: number
  othersCores: number
}

/** Calls a second while they come. */
export const rate = 15
/** ms: until the last one talks, at most; and how long all are held then. */
const [settling, holding] = [8000, 10_000]
/** ms; sound that is later than that is none: no telephone waits for it. */
export const timely = 200
/** A share from which on nobody hears that something is missing. */
const enough = 0.99
const frame = 20

/** `calls` calls come, talk until all are there and 10 s more, and leave. */
export async function hold(exchange: Exchange, variant: Variant, calls: number, app?: App): Promise<Held> {
  const agency = await openAgency(exchange.folder, { echoes: true })
  await using _ = { [Symbol.asyncDispose]: () => agency.child.stop(2000) }
  const observer = await observe(exchange.folder)
  const ledgerFrom = await sizeOf(exchange.ledger)
  const appPid = app?.child.process.pid
  const before = appPid ? await rss(appPid) : NaN
  await app?.loopDelay()
  const stampEvery = Math.min(64, calls)                           // some 500 frames at least, whatever the level
  const coming = calls / rate * 1000
  const callers = await openCallers(exchange.folder, { number: variants[variant].number, rate, calls, leaves: coming + settling + holding + 2000, stampEvery })
  const latest = performance.now() + coming + settling
  while (performance.now() < latest && !callers.child.exit && await agency.calls() < calls) await pause(100)

  const pids = { asterisk: [exchange.pid], app: appPid ? [appPid] : [], beside: (app?.beside ?? []).map(child => child.process.pid!), sipp: [agency.child.process.pid!, callers.child.process.pid!] }
  const reading = async () => ({ at: performance.now(), wall: Date.now(), machine: (await machine()).busy, asterisk: await cpus(pids.asterisk), app: await cpus(pids.app), beside: await cpus(pids.beside), sipp: await cpus(pids.sipp) })
  const delayComing = await app?.loopDelay()
  const from = await reading()
  await pause(holding)
  const to = await reading()
  const delayHeld = await app?.loopDelay()
  const [appRss, asteriskRss] = [appPid ? await rss(appPid) : NaN, await rss(exchange.pid)]
  await callers.child.ended
  const seen = await observer.calls()
  const { succeeded } = await callers.counts().catch(() => ({ succeeded: 0 }))

  const seconds = (to.at - from.at) / 1000
  const spent = (key: keyof typeof pids) => (to[key] - from[key]) / seconds
  const busy = (to.machine - from.machine) / seconds
  return {
    variant, calls,
    failed: calls - Math.min(succeeded, seen.filter(call => call.agencyAnswered !== undefined).length),
    byFallback: variant === 'service' ? await occurrences(exchange.ledger, ledgerFrom, '"2","FALLBACK",') : 0,
    ...sound(seen, from.wall, to.wall, calls * (to.wall - from.wall) / frame / stampEvery),
    asteriskCpu: spent('asterisk'), appCpu: spent('app'),
    appRss: appPid ? { before, held: appRss } : undefined, asteriskRss,
    loopDelay: app ? { coming: delayComing, held: delayHeld } : undefined,
    busyCores: busy / 1000, sippCores: spent('sipp') / 1000,
    othersCores: Math.max(0, busy - spent('asterisk') - spent('app') - spent('beside') - spent('sipp')) / 1000
  }
}

const cpus = async (pids: number[]) => (await Promise.all(pids.map(cpu))).reduce((sum, ms) => sum + ms, 0)

/** What became of the frames that were said between two times (ms of the machine's clock), when `expected` should have been. */
function sound(seen: Seen[], from: number, to: number, expected: number) {
  const said = seen.flatMap(({ frames }) => [...frames.values()]).filter(({ said }) => said !== undefined && said >= from && said < to)
  const took = (passing: Passing, first: keyof Passing, then: keyof Passing) => passing[then] === undefined || passing[first] === undefined ? undefined : passing[then] - passing[first]
  const has = (passed: keyof Passing) => said.filter(passing => passing[passed] !== undefined).length
  const there = said.map(passing => took(passing, 'said', 'arrived')).filter(ms => ms !== undefined)
  const back = said.map(passing => took(passing, 'echoed', 'returned')).filter(ms => ms !== undefined)
  const within = (delays: number[]) => delays.filter(ms => ms <= timely).length
  return {
    toAgency: within(there) / said.length, toCaller: within(back) / has('echoed'),
    said: said.length / expected, echoed: has('echoed') / has('arrived'), delay: quantiles([...there, ...back]).p99
  }
}

/** No call failed, none fell to the fallback, and the exchange let the sound through both ways. */
const isExchangeWhole = ({ failed, byFallback, toAgency, toCaller }: Held) => failed === 0 && byFallback === 0 && toAgency >= enough && toCaller >= enough
/** SIPp said and echoed what it had to: what a caller loses is the exchange's. */
const isSippWhole = ({ said, echoed }: Held) => said >= enough && echoed >= enough

export const isWhole = (held: Held) => isExchangeWhole(held) && isSippWhole(held)

export function verdict(held: Held): string {
  if (isExchangeWhole(held)) return isSippWhole(held) ? 'whole' : 'not whole: SIPp\'s limit'
  return isSippWhole(held) ? '**not whole**' : '**not whole**, nor SIPp'
}
