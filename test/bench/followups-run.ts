/**
 * One part of the follow-ups' bench, in a process of its own: `node followups-run.ts create|due|kill|restart|wide|rates <folder> <redis>`. Prints its
 * figures as JSON. The store is a real SQLite file, Redis is real; the exchange is a stub that takes each callback on at once, and
 * whose citizens have all been spoken with 50 ms later.
 */
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Queue, Worker, type ConnectionOptions } from 'bullmq'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import type { Step } from '../../src/calls/story.ts'
import { Book, type Claim } from '../../src/followups/book.ts'
import { Jobs } from '../../src/followups/jobs.ts'
import { Pacer } from '../../src/followups/pacer.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { Records } from '../../src/records/records.ts'
import { rss } from './machine.ts'
import { quantiles } from './measure.ts'
import { plainPlan } from '../parts/plain-plan.ts'

const [part, folder, redis] = process.argv.slice(2) as [string, string, string]
const count = 100_000
const due = 2_000
const jobsCount = 10_000
const atOnce = 1_000
/** Where there is a line for everybody. The plan's schema allows no such exchange: it is given to the plan behind it. */
const wide = part === 'wide'
const free = new Map(['bpbd', 'ambulans', 'wali-kota'].map(agency => [agency, Math.ceil(atOnce / 3)]))

const text = plainPlan(await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8'))
const { plan: read } = readPlan(`${text.replace(/^followups:\n(?: .*\n|\n)*/m, '').replaceAll(/capacity: \d+/g, 'capacity: 500')}
followups: { stale: 10080 min, policy: { delay: 600 min, deadline: 10080 min }, outbound: { channels: ${atOnce}, hourly: 60, cityHourly: 100000 } }\n`, { file: 'plan.yaml' })
const plan: Plan = wide ? {
  ...read, followups: { ...read.followups, outbound: { ...read.followups.outbound, channels: count } },
  nodes: new Map([...read.nodes].map(([id, node]) => [id, node.kind === 'agency' ? { ...node, lines: node.lines.map(line => ({ ...line, capacity: count })) } : node]))
} : read
const log = pino({ level: 'error' }, pino.destination(2))
const file = join(folder, 'records.sqlite')
const records = await Records.open({ file }, log)
const book = new Book(records, () => plan)
const sql = (...statements: string[]) => {
  const store = new DatabaseSync(file, { timeout: 5_000 })
  for (const statement of statements) store.exec(statement)
  store.close()
}
const memory = async () => { globalThis.gc?.(); return rss(process.pid) }

/** The service's follow-ups, with the stub for an exchange. */
function service(rung: (followUp: string) => void, queued: (claims: Claim[]) => void, { settles = true } = {}) {
  const talking: { followUp: string, attempt: number }[] = []
  const jobs = new Jobs({
    redis, timezone: plan.timezone, log, retention: async () => ({}), checkStore: async () => true, audit: () => Promise.reject(new Error('the bench has no ledger')),
    callback: async attempt => {
      if (await book.begin(attempt, Date.now()) === undefined) return
      rung(attempt.followUp)
      if (settles) talking.push(attempt)
    }
  })
  const pacer = new Pacer({ book, plan: () => plan, live: () => records.live(), ready: () => jobs.up, queue: async claims => { await jobs.queue(claims); queued(claims) }, giveWay: async () => undefined, log })
  const over = new AbortController()
  const settling = (async () => {
    for (let last = false; !last;) {
      last = over.signal.aborted                          // once more then: none is left on the telephone
      const now = Date.now()
      await book.settle(talking.splice(0).map(attempt => ({ ...attempt, result: { outcome: 'spoken', line: 'bpbd-1', rung: true, joinedAt: now, endedAt: now } })), now)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  })()
  return { jobs, pacer, close: async () => { await pacer.close(); await jobs.close(); over.abort(); await settling } }
}

async function until(truth: () => boolean) {
  while (!truth()) await new Promise(resolve => setTimeout(resolve, 5))
}
const flush = async () => { const link = new Redis(redis); await link.flushall(); link.disconnect() }

const parts: Record<string, () => Promise<unknown>> = {
  /** 100,000 missed calls stand in the outbox; of them follow-ups are made. */
  async create() {
    const now = Date.now()
    const arrived = `${now} - 300 * i`          // some three a second
    sql(`with recursive n(i) as (select 0 union all select i + 1 from n where i < ${count - 1})
      insert into calls (call_id, did, trunk, cli_raw, cli, arrived_at, ended_at, agency, ended_by, disposition, detail)
      select 'satunomor-' || ((${arrived}) / 1000) || '.' || i, '112', 'carrier', '', '+627215550' || printf('%05d', i), ${arrived}, ${now}, case i % 3 when 0 then 'bpbd' when 1 then 'ambulans' else 'wali-kota' end, 'caller', 'abandoned', 'greeting' from n`,
    `insert into outbox (topic, call_id, payload, made_at) select 'missed-call', call_id, '{}', ${now} from calls`,
    `insert into steps (call_id, key, at, witness, kind, facts) select call_id, 'taken', arrived_at, 'service', 'taken', '{}' from calls`)
    const before = await memory()
    const began = performance.now()
    while (await book.takeOutbox(Date.now()) > 0);
    const seconds = (performance.now() - began) / 1000
    const after = await memory()
    // And what comes before it: calls that end missed, written with their steps and what is owed.
    const some = Array.from({ length: 4_000 }, (_, n) => missed(`fresh-${n}`, now))
    const appending = performance.now()
    for (let at = 0; at < some.length; at += 100) await records.append(some.slice(at, at + 100).flat())
    const appended = (performance.now() - appending) / 1000
    while (await book.takeOutbox(Date.now()) > 0);
    sql('delete from followups where cli is null')
    return { perSecond: count / seconds, owedPerSecond: some.length / appended, rss: { before, after } }
  },

  /** Of 100,000 open ones 2,000 become due in 20 s, at random. */
  async due() {
    const from = Date.now() + 3_000
    const store = new DatabaseSync(file, { timeout: 5_000 })
    const chosen = store.prepare(`select id from followups where state = 'open' order by random() limit ${due}`).all() as { id: string }[]
    const dueAt = new Map(chosen.map(({ id }) => [id, from + randomInt(20_000)]))
    store.exec('begin')
    for (const [id, at] of dueAt) store.prepare('update followups set due_at = ? where id = ?').run(at, id)
    store.exec('commit')
    store.close()
    const before = await memory()
    const late: number[] = []
    const { jobs, pacer, close } = service(id => late.push(Date.now() - dueAt.get(id)!), () => {})
    jobs.start()
    pacer.start()
    await until(() => late.length >= due)
    const after = await memory()
    await close()
    return { late: quantiles(late), rss: { before, after } }
  },

  /** The service was killed while 1,000 were being rung and Redis lost everything; now all the rest is due. */
  async kill() {
    sql('delete from attempts', 'update followups set due_at = due_at - 172800000 where state = \'open\'')
    const { jobs } = service(() => {}, () => {})
    await until(() => jobs.up)
    const claims = await book.claim(Date.now(), { allowance: atOnce, free, busy: new Set() })
    await jobs.queue(claims)
    await flush()
    process.stdout.write(JSON.stringify({ claimed: claims.length }))
    process.kill(process.pid, 'SIGKILL')
  },
  async restart() {
    const open = (await records.db.selectFrom('followups').select(({ fn }) => fn.countAll<number>().as('open')).where('state', 'in', ['open', 'calling']).executeTakeFirstOrThrow()).open
    const before = await memory()
    const began = performance.now()
    const queued = new Set<string>()
    let [first, thousand, rung] = [NaN, NaN, 0]
    const { jobs, pacer, close } = service(() => { rung++ }, claims => {
      if (Number.isNaN(first)) first = performance.now() - began
      for (const { followUp: { id } } of claims) queued.add(id)
      if (Number.isNaN(thousand) && queued.size >= atOnce) thousand = performance.now() - began
    })
    jobs.start()
    pacer.start()
    let highest = before
    const watching = setInterval(() => { void rss(process.pid).then(mb => { highest = Math.max(highest, mb) }) }, 250)
    await until(() => queued.size >= open)
    const all = performance.now() - began
    await until(() => rung >= open)
    const worked = performance.now() - began
    clearInterval(watching)
    const after = await memory()
    await close()
    return { open, first, thousand, all, worked, rss: { before, highest, after } }
  },

  /** The same once more, with a line and a channel for each. */
  async wide() {
    sql('delete from attempts', `update followups set state = 'open', attempt = 0, ended_at = null, ended_by = null, due_at = 0`)
    await flush()
    return parts['restart']!()
  },

  /** The same jobs by plain BullMQ and by us: into the queue (of ours: claimed in the store before), and through a worker (of ours: begun in the store before). */
  async rates() {
    const rounds: Record<'plain' | 'ours', { enqueue: number, processing: number }>[] = []
    for (let round = 0; round < 5; round++) rounds.push({ plain: await plainRates(), ours: await ourRates() })
    const median = (of: 'plain' | 'ours', what: 'enqueue' | 'processing') => quantiles(rounds.map(round => round[of][what])).p50
    return {
      plain: { enqueue: median('plain', 'enqueue'), processing: median('plain', 'processing') },
      ours: { enqueue: median('ours', 'enqueue'), processing: median('ours', 'processing') }
    }
  }
}

const perSecond = (ms: number) => jobsCount / ms * 1000

async function ourRates() {
  sql('delete from attempts', `update followups set state = 'open', attempt = 0, ended_at = null, ended_by = null, due_at = 0 where rowid in (select rowid from followups limit ${jobsCount})`, 'update followups set due_at = 9e15 where due_at > 0')
  await flush()
  let rung = 0
  let processed = NaN
  let began = NaN
  const { jobs, close } = service(() => { if (++rung === jobsCount) processed = performance.now() - began }, () => {}, { settles: false })
  await until(() => jobs.up)
  const enqueueing = performance.now()
  let queueing: Promise<void> | undefined
  for (let claimed = 0; claimed < jobsCount;) {          // as the pacer does, but that there is always a line
    const claims = await book.claim(Date.now(), { allowance: atOnce, free, busy: new Set() })
    if (claims.length === 0) throw new Error(`only ${claimed} were claimed`)
    const before = queueing
    queueing = jobs.queue(claims)
    await before
    claimed += claims.length
  }
  await queueing
  const enqueued = performance.now() - enqueueing
  began = performance.now()
  jobs.start()
  await until(() => rung >= jobsCount)
  await close()
  return { enqueue: perSecond(enqueued), processing: perSecond(processed) }
}

/** As Jobs has its queue and worker, without a store. */
async function plainRates() {
  await flush()
  const link = () => new Redis(redis, { maxRetriesPerRequest: null })
  const [queueLink, workerLink] = [link(), link()]
  const queue = new Queue('plain', { connection: queueLink as ConnectionOptions, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
  await queue.waitUntilReady()
  const enqueueing = performance.now()
  for (let at = 0; at < jobsCount; at += atOnce) {
    await queue.addBulk(Array.from({ length: atOnce }, (_, n) => ({ name: 'callback', data: { followUp: `plain${at + n}`, attempt: 1 }, opts: { jobId: `plain-${at + n}` } })))
  }
  const enqueued = performance.now() - enqueueing
  let done = 0
  const began = performance.now()
  const worker = new Worker('plain', async () => { done++ }, { connection: workerLink as ConnectionOptions, concurrency: 250, lockDuration: 10_000, stalledInterval: 5_000 })
  await until(() => done >= jobsCount)
  const processed = performance.now() - began
  await worker.close()
  await queue.close()
  for (const one of [queueLink, workerLink]) one.disconnect()
  return { enqueue: perSecond(enqueued), processing: perSecond(processed) }
}

/** The steps of a call that was given up in the greeting. */
function missed(callId: string, at: number): Step[] {
  const step = (key: string, after: number, rest: object) => ({ callId, key, at: at + after, witness: 'ledger', ...rest }) as Step
  return [
    step('1', 0, { kind: 'arrived', facts: { did: '112', trunk: 'carrier', cli: '' } }), step('2', 1, { kind: 'taken', facts: {}, witness: 'service' }),
    step('3', 2, { kind: 'picked', facts: {} }), step('4', 900, { kind: 'hangup', facts: { by: 'caller', q850: 16 } }), step('5', 901, { kind: 'ended', facts: {} })
  ]
}

const figures = await parts[part]!()
await records[Symbol.asyncDispose]()
process.stdout.write(JSON.stringify(figures))
process.exit(0)
