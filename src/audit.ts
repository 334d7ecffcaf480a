/**
 * The audit: proves that no call is lost. Every call that came in on a trunk, as Asterisk's ledger has it, must have
 * exactly one record with exactly one disposition, and no record may be without such a call (design.md, section 3); and every
 * missed one a follow-up that is open, done, or closed by somebody who is named. And that nobody has changed who has seen what.
 *
 *     npm run audit -- [--from 2026-11-24T00:00] [--to …] [--json]        default: the last 24 hours; a time without a zone is the city's
 *
 * Ends with 0 when the sums are the same, with 1 and the list of differences when they are not, or when the ledger itself lacks something.
 */
import { createReadStream } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DateTime } from 'luxon'
import { pino } from 'pino'
import { planOf } from './dialplan/changes.ts'
import { Versions } from './dialplan/versions.ts'
import { momentExample, momentIn } from './plan/moment.ts'
import { readCel } from './asterisk/cel-lines.ts'
import { stepOf } from './asterisk/cel.ts'
import { ledgerFiles } from './asterisk/ledger.ts'
import type { Trail } from './records/audit-trail.ts'
import { Records } from './records/records.ts'
import { places, readSettings } from './settings.ts'

export interface AuditReport {
  /** The period, Unix ms of the arrival; `from` is in it, `to` is not. */
  from: number
  to: number
  /** Calls that came in on a trunk, as the ledger has them; one that came in twice (the same INVITE, a loop) is one. */
  arrived: number
  /** How many records ended how. */
  dispositions: Record<string, number>
  /** Calls that have not ended. */
  live: number
  /** Calls that the dialplan's own menu took since the service was overloaded. */
  shed: number
  /** Calls that ran without the service, and were written down from the ledger. */
  backfilled: string[]
  /** Calls that Asterisk refused before they had a channel: the service saw it, and no ledger tells of them. */
  turnedAway: number
  /** Calls whose arrival the service alone has seen: the ledger could not be written (its disk was full). */
  untold: string[]
  /** Calls in the ledger without a record; ended there without a disposition here; records without a call in the ledger. */
  missing: string[]
  unfinished: string[]
  orphans: string[]
  /** Missed calls without a follow-up, and none has been on its way for less than five minutes; follow-ups that ended and nobody says by whom. */
  forgotten: string[]
  unsigned: string[]
  /** What became of the follow-ups of the period's calls: how many stand where. */
  followUps: Record<string, number>
  /** Times in which the ledger lacks channels (calls that came in, and lines that were rung): Asterisk numbers them, and numbers are missing. */
  unwritten: Gap[]
  /** Pieces of the ledger that are no line of it. */
  unreadable: number
  /** The table `audit`, whole and whatever the period: who has seen what. */
  trail: Trail
  /** arrived + turnedAway + untold = sum of the dispositions + live, nothing is in the five lists, and the trail is whole. */
  balanced: boolean
}

/** Unix ms of the channels before and after; how many are missing between them. */
export interface Gap { from: number, to: number, channels: number }

export interface AuditOptions {
  /** Asterisk's CEL file; rotated ones beside it (`calls.csv.…`) are read, too. */
  file: string
  records: Records
  from: number
  to: number
}

export async function audit({ file, records, from, to }: AuditOptions): Promise<AuditReport> {
  const { arrived, ended, unreadable, unwritten } = await readLedger(file, from, to)
  const rows = await records.outcomes(from, to)
  const known = new Map(rows.map(row => [row.callId, row]))
  const dispositions: Record<string, number> = {}
  for (const { disposition } of rows) if (disposition) dispositions[disposition] = (dispositions[disposition] ?? 0) + 1
  const missing = [...arrived].filter(callId => !known.has(callId))
  const away = new Set(rows.filter(({ callId, disposition }) => disposition === 'refused' && !arrived.has(callId)).map(({ callId }) => callId))
  const strange = [...known.keys()].filter(callId => !arrived.has(callId) && !away.has(callId))
  const witnesses = Map.groupBy((strange.length === 0 ? [] : await records.stepsOf(strange)).filter(({ kind }) => kind === 'arrived'), ({ callId }) => callId)
  // One that the ledger has told of once, and tells of no more, is not such a call: a file of the ledger is gone.
  const untold = strange.filter(callId => witnesses.get(callId)?.every(({ witness }) => witness === 'service'))
  const orphans = strange.filter(callId => !untold.includes(callId))
  const unfinished = rows.filter(({ callId, disposition }) => disposition === null && ended.has(callId)).map(({ callId }) => callId)
  const live = rows.filter(({ callId, disposition }) => disposition === null && !ended.has(callId)).length
  const sum = Object.values(dispositions).reduce((total, count) => total + count, 0)
  const { forgotten, unsigned, states: followUps } = await records.followedUp(from, to)
  const trail = await records.auditTrail()
  return {
    from, to, trail, forgotten, unsigned, followUps, arrived: arrived.size, dispositions, live, turnedAway: away.size, untold, missing, unfinished, orphans, unreadable, unwritten,
    shed: rows.filter(({ way }) => way === 'shed').length,
    backfilled: rows.filter(row => row.disposition !== null && row.disposition !== 'refused' && !row.served && row.way !== 'shed').map(({ callId }) => callId),
    balanced: missing.length + unfinished.length + orphans.length + forgotten.length + unsigned.length + trail.broken.length === 0 && !trail.cut && arrived.size + away.size + untold.length === sum + live
  }
}

/** The calls that arrived in the period, and all that ended, out of every file of the ledger. */
async function readLedger(file: string, from: number, to: number) {
  const arrived = new Set<string>()
  const ended = new Set<string>()
  const repeated = new Set<string>()
  let unreadable = 0
  const channels: { at: number, number: number }[] = []
  for (const path of await ledgerFiles(file)) {
    let rest = ''
    for await (const piece of createReadStream(path, 'latin1')) {
      const { lines, end } = readCel(rest += piece)
      rest = rest.slice(end)
      for (const { text, event } of lines) {
        const step = event && stepOf(event, 'audit')
        const [, number] = event?.type === 'CHAN_START' ? /^PJSIP\/.*-([0-9a-f]{8,})$/.exec(event.channelName) ?? [] : []
        if (event && number !== undefined && event.at < to) channels.push({ at: event.at, number: Number.parseInt(number, 16) })
        if (step?.kind === 'arrived' && step.at >= from && step.at < to) arrived.add(step.callId)
        if (step?.kind === 'repeat') repeated.add(step.callId)
        if (step?.kind === 'ended') ended.add(step.callId)
        if (!event && text.trim() !== '') unreadable++           // counted and told: it may be what a killed Asterisk left of a line
      }
    }
    if (rest !== '') unreadable++
  }
  return { arrived: arrived.difference(repeated), ended, unreadable, unwritten: gapsIn(channels).filter(gap => gap.to >= from) }
}

/** Asterisk counts its SIP channels from 0 at each start of its own. Two that begin at once may be written in either order. */
export function gapsIn(channels: readonly { at: number, number: number }[]): Gap[] {
  const gaps: Gap[] = []
  let run: { at: number, number: number }[] = []
  const close = () => {
    run.sort((a, b) => a.number - b.number)
    for (const [place, { at, number }] of run.entries()) {
      const before = run[place - 1]
      if (before && number - before.number > 1) gaps.push({ from: before.at, to: at, channels: number - before.number - 1 })
    }
    run = []
  }
  let numbers = new Set<number>()
  let highest = -1
  for (const channel of channels.toSorted((a, b) => a.at - b.at)) {
    if (numbers.has(channel.number) || channel.number < highest - atOnce) {
      close()
      numbers = new Set()
      highest = -1
    }
    numbers.add(channel.number)
    highest = Math.max(highest, channel.number)
    run.push(channel)
  }
  close()
  return gaps
}

/** So many channels begin at once at most. */
const atOnce = 100

/** The report in words, for a terminal. */
export function inWords({ from, to, arrived, dispositions, live, turnedAway, shed, backfilled, untold, missing, unfinished, orphans, forgotten, unsigned, followUps, unwritten, unreadable, trail, balanced }: AuditReport, zone = 'Asia/Jakarta'): string {
  const time = (ms: number) => DateTime.fromMillis(ms, { zone }).toFormat('yyyy-MM-dd HH:mm ZZZZ')
  const list = (what: string, ids: readonly (string | number)[]) => ids.length === 0 ? [] : [`${what}: ${ids.length}`, ...ids.slice(0, 20).map(id => `  ${id}`), ...ids.length > 20 ? ['  …'] : []]
  return [
    `${time(from)} to ${time(to)}`,
    `came in on a trunk: ${arrived}`,
    ...Object.entries(dispositions).sort().map(([name, count]) => `  ${name}: ${count}`),
    `  going on: ${live}`,
    ...turnedAway > 0 ? [`refused by Asterisk before there was a channel: ${turnedAway}`] : [],
    ...shed > 0 ? [`taken by the dialplan's own menu (the service was overloaded): ${shed}`] : [],
    `written down from the ledger alone (no service was there): ${backfilled.length}`,
    ...list('came in, and the ledger does not tell of it (could Asterisk not write it?)', untold),
    ...list('WITHOUT A RECORD', missing), ...list('ENDED WITHOUT A DISPOSITION', unfinished), ...list('RECORDS OF NO CALL', orphans),
    `owed a call back: ${Object.values(followUps).reduce((sum, count) => sum + count, 0)}`,
    ...Object.entries(followUps).sort().map(([state, count]) => `  ${state}: ${count}`),
    ...list('MISSED AND FORGOTTEN', forgotten), ...list('FOLLOW-UPS THAT NOBODY HAS SIGNED', unsigned),
    `who has seen what: ${trail.entries} entries${trail.head === null ? '' : `, the last one's sum is ${trail.head}`}`,
    ...list('ENTRIES THAT WERE CHANGED, OR BEFORE WHICH ONE IS MISSING', trail.broken), ...trail.cut ? ['THE NEWEST ENTRIES ARE MISSING'] : [],
    ...unreadable > 0 ? [`lines of the ledger that cannot be read: ${unreadable}`] : [],
    ...unwritten.map(({ from, to, channels }) => `UNRECORDED: from ${time(from)} to ${time(to)} Asterisk could not write its ledger. ${channels} calls or rung lines stand in no record.`),
    lastWord(balanced, unwritten.length > 0)
  ].join('\n')
}

function lastWord(balanced: boolean, unrecorded: boolean): string {
  if (!balanced) return 'THE SUMS DIFFER.'
  return unrecorded ? 'The sums are the same as far as the ledger goes. What it lacks, see above.' : 'The sums are the same: no call is lost, nobody is forgotten.'
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { from: { type: 'string' }, to: { type: 'string' }, json: { type: 'boolean', default: false } } })
  try {
    const settings = readSettings(process.env, dirname(dirname(fileURLToPath(import.meta.url))))
    const live = await new Versions(places(settings.state).versions).current().catch(() => undefined)
    const zone = live ? (await planOf(live)).timezone : 'Asia/Jakarta'
    const moment = (text: string | undefined, fallback: number) => {
      if (text === undefined) return fallback
      const time = momentIn(zone, text)
      if (time === undefined) throw new RangeError(`"${text}" is no time: write ${momentExample}`)
      return time
    }
    const to = moment(values.to, Date.now())
    await using records = await Records.open({ file: places(settings.state).records }, pino({ level: 'silent' }))
    const report = await audit({ file: settings.asterisk.cel, records, from: moment(values.from, to - 24 * 3600_000), to })
    process.stdout.write(`${values.json ? JSON.stringify(report) : inWords(report, zone)}\n`)
    process.exitCode = report.balanced && report.unwritten.length === 0 ? 0 : 1
  } catch (error) {
    process.stderr.write(`The audit could not be made: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
