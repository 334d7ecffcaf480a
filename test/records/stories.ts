/** Calls for the store's tests, told in a line. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import type { Disposition, Step } from '../../src/calls/story.ts'

export const start = Date.UTC(2026, 0, 31)

/** A call that arrived `at` ms after the start and, unless it goes on, ended 10 s later. */
export function aCall(callId: string, { at = 0, cli = '07215550112', agency = 'bpbd', ends = 'abandoned' }:
  { at?: number, cli?: string, agency?: string, ends?: Disposition | null } = {}): Step[] {
  const seen = (offset: number) => ({ callId, key: `${offset}`, at: start + at + offset, witness: 'ledger' }) as const
  const line = { agency, line: `${agency}-1` }
  const steps: Step[] = [
    { ...seen(0), kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli } },
    { ...seen(1), kind: 'picked', facts: {} },
    { ...seen(2), kind: 'line', facts: line }
  ]
  if (ends === 'answered') steps.push({ ...seen(3), kind: 'connected', facts: line })
  else if (ends && ends !== 'abandoned') steps.push({ ...seen(4), kind: 'decided', facts: { disposition: ends, why: 'test' } })
  if (ends) steps.push({ ...seen(9_000), kind: 'hangup', facts: { by: 'caller', q850: 16 } }, { ...seen(10_000), kind: 'ended', facts: {} })
  return steps
}

export async function tempFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'satunomor-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A log that remembers what was said. */
export function aLog() {
  const said: { level: number, msg: string, [fact: string]: unknown }[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => { said.push(JSON.parse(line)) } })
  return { log, said, text: () => JSON.stringify(said) }
}

/** Resolves as soon as `truth` holds; looks every 10 ms. */
export async function until(truth: () => boolean | Promise<boolean>) {
  while (!await truth()) await new Promise(again => setTimeout(again, 10))
}
