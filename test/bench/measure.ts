/** One run at one rate, and its figures. */
import { open, stat } from 'node:fs/promises'
import type { App, Exchange, LoopDelay } from './exchange.ts'
import { cpu, machine, rss } from './machine.ts'
import { observe } from './observer.ts'
import { script, variants, type Variant } from './places.ts'
import { openCallers } from './telephones.ts'

export interface Quantiles { p50: number, p95: number, p99: number, max: number }

export interface Figures {
  variant: Variant
  /** Calls a second that were asked for, and that were made. */
  rate: number
  madeRate: number
  calls: number
  /** Calls that SIPp saw fail, or whose agency never answered. */
  failed: number
  /** Of the calls, those that the dialplan's own menu took although the service was there: it was overloaded. */
  byFallback: number
  retransmitted: number
  /** CPU ms a call. */
  asteriskCpu: number
  appCpu: number
  besideCpu: number
  /** ms; the caller's key (its first end packet) until the INVITE at the agency; the caller's INVITE until the 200. */
  keyToInvite: Quantiles
  inviteTo200: Quantiles
  /** MB: when the run began, its highest, 1 s after it. Asterisk: its highest. */
  appRss: { before: number, highest: number, after: number } | undefined
  asteriskRss: number
  liveCalls: number
  loopDelay: LoopDelay | undefined
  /** How busy the machine was, in cores: in all, and by what is neither measured nor SIPp. */
  busyCores: number
  othersCores: number
}

export interface Run {
  exchange: Exchange
  variant: Variant
  rate: number
  seconds: number
  app?: App | undefined
  leaves?: number
  /** SIPp as the agency, already there. */
  agencyPid: number
}

export async function measure({ exchange, variant, rate, seconds, app, leaves = script.leaves, agencyPid }: Run): Promise<Figures> {
  const calls = Math.round(rate * seconds)
  const observer = await observe(exchange.folder)
  const ledgerFrom = await sizeOf(exchange.ledger)
  await app?.loopDelay()
  const appPid = app?.child.process.pid
  const reading = async () => ({
    at: performance.now(), asterisk: await cpu(exchange.pid), app: appPid ? await cpu(appPid) : 0, agency: await cpu(agencyPid),
    beside: (await Promise.all((app?.beside ?? []).map(child => cpu(child.process.pid!)))).reduce((sum, ms) => sum + ms, 0), machine: await machine()
  })
  const before = await reading()
  const rssBefore = appPid ? await rss(appPid) : NaN
  const callers = await openCallers(exchange.folder, { number: variants[variant].number, rate, calls, leaves })
  let [callersCpu, highest, asteriskRss, made] = [0, 0, 0, 0]
  const over = new AbortController()
  const watching = (async () => {
    while (!over.signal.aborted) {
      callersCpu = Math.max(callersCpu, await cpu(callers.child.process.pid!))
      if (appPid) highest = Math.max(highest, await rss(appPid))
      asteriskRss = Math.max(asteriskRss, await rss(exchange.pid))
      await new Promise(resolve => setTimeout(resolve, 250))
    }
  })()
  await callers.child.ended
  over.abort()
  await watching
  await new Promise(resolve => setTimeout(resolve, 700))         // the ledger is read, the records are written
  const after = await reading()
  const loopDelay = await app?.loopDelay()
  const seen = await observer.calls()
  const counts = await callers.counts().catch(() => ({ succeeded: 0, retransmitted: 0 }))

  const spent = <K extends 'asterisk' | 'app' | 'agency' | 'beside'>(key: K) => after[key] - before[key]
  const elapsed = after.at - before.at
  const invites = seen.map(({ invite }) => invite).sort((a, b) => a - b)
  made = invites.length > 1 ? (invites.length - 1) / ((invites.at(-1)! - invites[0]!) / 1000) : NaN
  const ours = spent('asterisk') + spent('app') + spent('agency') + spent('beside') + callersCpu
  return {
    variant, rate, madeRate: made, calls,
    failed: calls - Math.min(counts.succeeded, seen.filter(call => call.agencyAnswered !== undefined).length),
    byFallback: app && variant === 'service' ? await occurrences(exchange.ledger, ledgerFrom, '"2","FALLBACK",') : 0,
    retransmitted: counts.retransmitted,
    asteriskCpu: spent('asterisk') / calls, appCpu: spent('app') / calls, besideCpu: spent('beside') / calls,
    keyToInvite: quantiles(seen.map(({ key, agencyInvite }) => key !== undefined && agencyInvite !== undefined ? agencyInvite - key : undefined)),
    inviteTo200: quantiles(seen.map(({ invite, answered }) => answered !== undefined ? answered - invite : undefined)),
    appRss: appPid ? { before: rssBefore, highest, after: await rss(appPid) } : undefined, asteriskRss,
    liveCalls: most(seen.filter(({ answered }) => answered !== undefined).map(({ answered }) => answered!), leaves),
    loopDelay,
    busyCores: (after.machine.busy - before.machine.busy) / elapsed,
    othersCores: Math.max(0, after.machine.busy - before.machine.busy - ours) / elapsed
  }
}

/** No call failed, and SIPp made what was asked for. */
export const isClean = ({ failed, rate, madeRate }: Figures) => failed === 0 && madeRate > rate * 0.97

/** And nobody waited: an Asterisk that has more to do than it can serves everybody, seconds late. */
export const isCalm = (figures: Figures) => isClean(figures) && figures.keyToInvite.p95 <= 100

/** Nearest rank; NaN where there is nothing. */
export function quantiles(values: (number | undefined)[]): Quantiles {
  const sorted = values.filter(value => value !== undefined).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

/** The most calls that were up at once, each for `leaves` ms. */
function most(answered: number[], leaves: number) {
  const sorted = answered.sort((a, b) => a - b)
  let [first, highest] = [0, 0]
  for (const [index, at] of sorted.entries()) {
    while (sorted[first]! < at - leaves) first++
    highest = Math.max(highest, index - first + 1)
  }
  return highest
}

export const sizeOf = (file: string) => stat(file).then(({ size }) => size, () => 0)

/** How often something stands in a file, from a byte of it on. */
export async function occurrences(file: string, from: number, what: string): Promise<number> {
  const length = await sizeOf(file) - from
  if (length <= 0) return 0
  await using handle = await open(file)
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, from)
  return buffer.toString('latin1').split(what).length - 1
}
