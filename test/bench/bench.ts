/**
 * What the service costs, beside a pure dialplan and a minimal app over ARI: `npm run bench`. Needs root and the set-up of
 * `npm start`; traffic stays on 127.77.60.x. Nothing passes or fails here: the figures go to docs/bench.md and var/bench.json.
 *
 *   npm run bench                          all of it, some 30 minutes
 *   npm run bench -- --quick               one rate of each, 2 calls a second: does it work? Nothing is written.
 *   npm run bench -- --only rates,search   parts of it: rates, cel, live, search, ready, plan, apply, followups, many; held
 *                                          (calls held at once, with sound both ways: some 20 minutes more)
 *   npm run bench -- --rates 40,80 --seconds 10
 *   npm run bench -- --only rates --variants dialplan,service,fallback
 *   npm run bench -- --draft               nothing is written
 *   npm run bench -- --profile             the service's --cpu-prof at 40 a second, into var/bench-profile/
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { project } from '../../setup/project.mjs'
import { makeRoot } from '../../setup/root.mjs'
import { steps } from '../../setup/steps.mjs'
import { applyRow, applyTimes } from './apply.ts'
import { followUpTimes } from './followups.ts'
import { openExchange, type App, type Exchange } from './exchange.ts'
import { hold, isWhole, type Held } from './held.ts'
import { isCalm, isClean, measure, type Figures } from './measure.ts'
import { script, variants, type Variant } from './places.ts'
import { planTimes } from './plan.ts'
import { row, total, write, type Results, type Searched } from './report.ts'
import { heldRow } from './report-held.ts'
import { openAgency, openCallers } from './telephones.ts'

const { values: options } = parseArgs({ options: {
  quick: { type: 'boolean', default: false }, profile: { type: 'boolean', default: false }, draft: { type: 'boolean', default: false },
  only: { type: 'string' }, rates: { type: 'string', default: '5,20,40,80' }, seconds: { type: 'string', default: '15' }, rounds: { type: 'string', default: '3' }, variants: { type: 'string', default: 'dialplan,service,ari' }
} })
const parts = new Set((options.only ?? (options.quick ? 'rates,held' : 'rates,cel,live,search,ready,plan,apply,followups')).split(','))
const seconds = Number(options.seconds)
const say = (line: string) => { process.stderr.write(`${line}\n`) }

let tidy = async () => {}
/** An exchange that goes, with all that runs in it, when we are told to end, too. */
async function open(options: { cel?: boolean } = {}): Promise<Exchange> {
  const exchange = await openExchange(options)
  tidy = async () => exchange[Symbol.asyncDispose]()
  return exchange
}

const withApp = async <T>(exchange: Exchange, variant: Variant, work: (app: App | undefined) => Promise<T>, flags: string[] = []): Promise<T> => {
  const app = variant === 'service' ? await exchange.startService(flags) : variant === 'ari' ? await exchange.startAriApp() : undefined
  try {
    return await work(app)
  } finally {
    await app?.stop()
  }
}

/** 200 calls before what is measured: what Node compiles of an app that has just started is no call's price. */
async function warmUp({ folder }: Exchange, variant: Variant) {
  const callers = await openCallers(folder, { number: variants[variant].number, rate: 40, calls: 200, leaves: script.leaves })
  await callers.child.ended
}

async function run(exchange: Exchange, agencyPid: number, variant: Variant, rate: number, extra: { seconds?: number, leaves?: number, flags?: string[] } = {}): Promise<Figures> {
  const figures = await withApp(exchange, variant, async app => {
    if (app) await warmUp(exchange, variant)
    return measure({ exchange, agencyPid, variant, rate, seconds: extra.seconds ?? seconds, app, ...extra.leaves ? { leaves: extra.leaves } : {} })
  }, extra.flags)
  say(row(figures))
  return figures
}

/** The one whose calls cost more CPU than one other's, and less than the third's; failed calls are the most of the three. */
const middle = (figures: Figures[]): Figures =>
  ({ ...figures.toSorted((a, b) => total(a) - total(b))[figures.length >> 1]!, failed: Math.max(...figures.map(({ failed }) => failed)) })

/** The highest of these rates at which no call failed, and at which none waited either; each may fail once. */
async function search(exchange: Exchange, agencyPid: number, variant: Variant, known: Figures[]): Promise<Searched> {
  const tried: Figures[] = []
  const highest = (sort: (figures: Figures) => boolean) => Math.max(0, ...[...known, ...tried].filter(figures => figures.variant === variant && sort(figures)).map(({ rate }) => rate))
  const from = highest(isCalm)
  for (const rate of [40, 50, 60, 70, 80, 100, 120, 140, 160, 180, 200, 220, 240, 260].filter(rate => rate > from)) {
    let figures = await run(exchange, agencyPid, variant, rate, { seconds: 8 })
    tried.push(figures)
    if (!isClean(figures)) tried.push(figures = await run(exchange, agencyPid, variant, rate, { seconds: 8 }))
    if (!isClean(figures)) break
  }
  return { clean: highest(isClean), calm: highest(isCalm), tried }
}

/** Levels upwards, to the first that is not whole. The service is ready anew at each, so that its memory is that of these calls. */
async function holdMore(exchange: Exchange, variant: Variant): Promise<Held[]> {
  const tried: Held[] = []
  for (const calls of options.quick ? [1, 5] : [1, 50, 100, 200, 300, 400, 500]) {
    const held = await withApp(exchange, variant, app => hold(exchange, variant, calls, app))
    say(heldRow(held))
    tried.push(held)
    if (!isWhole(held)) break
  }
  return tried
}

/** ms until it is ready, each time that it was killed and started again. */
async function restart(exchange: Exchange, times: number): Promise<number[]> {
  const took: number[] = []
  for (let n = 0; n <= times; n++) {
    const app = await exchange.startService()
    if (n > 0) took.push(app.readyAfter)             // the first was not killed before
    app.child.process.kill('SIGKILL')
    await app.child.ended
    await app.stop()
  }
  say(`ready ${took.map(ms => Math.round(ms)).join(', ')} ms after kill -9 and a start`)
  return took
}

/** After each part: what was measured stays, should a later part not come to its end. */
async function save(results: Results) {
  if (options.quick || options.draft) return
  await mkdir(join(project, 'var'), { recursive: true })
  await writeFile(join(project, 'var', 'bench.json'), JSON.stringify(results, null, 2))
  await write(results, join(project, 'docs', 'bench.md'))
}

async function bench() {
  const results: Results = {
    at: new Date().toISOString(), command: ['npm run bench', ...process.argv.slice(2).length > 0 ? ['--', ...process.argv.slice(2)] : []].join(' '),
    machine: { cores: cpus().length, model: cpus()[0]?.model ?? '', memory: Math.round(totalmem() / 2 ** 30) }, seconds, rates: [], search: {}
  }
  if (parts.has('plan')) results.plan = await planTimes(7)
  if (parts.has('followups')) {
    results.followUps = await followUpTimes(say)
    await save(results)
  }
  if (parts.has('ready')) {
    await using exchange = await open()
    results.ready = await restart(exchange, 5)
    await save(results)
  }
  if (parts.has('apply')) {
    await using exchange = await open()
    results.apply = await withApp(exchange, 'service', () => applyTimes(exchange, 7))
    say(applyRow(results.apply))
    await save(results)
  }
  if (parts.has('held')) {
    results.held = []
    for (const variant of ['dialplan', 'service', 'ari'] as const) {
      await using exchange = await open()                                     // Asterisk's memory, too, is that of this variant's calls
      results.held.push(...await holdMore(exchange, variant))
      await save(results)
    }
  }
  if ([...parts].some(part => !['held', 'ready', 'plan', 'apply', 'followups'].includes(part))) {
    await using exchange = await open()
    const { child: agency } = await openAgency(exchange.folder)
    await using _ = { [Symbol.asyncDispose]: () => agency.stop(2000) }
    const agencyPid = agency.process.pid!
    if (options.quick) {
      for (const variant of ['dialplan', 'service', 'ari', 'fallback'] as const) await run(exchange, agencyPid, variant, 2, { seconds: 5 })
      return
    }
    if (options.profile) {
      const folder = join(project, 'var', 'bench-profile')
      await mkdir(folder, { recursive: true })
      await run(exchange, agencyPid, 'service', 40, { flags: ['--cpu-prof', `--cpu-prof-dir=${folder}`] })
      say(`The profile is in ${folder}`)
      return
    }
    await run(exchange, agencyPid, 'dialplan', 5, { seconds: 2 })             // everything has been loaded once
    if (parts.has('rates')) {
      for (const rate of options.rates.split(',').map(Number)) {
        // Machines are shared and noisy: three times each, one after the other, and of each the one in the middle.
        const rounds: Figures[][] = []
        const compared = options.variants.split(',') as Variant[]
        for (let round = 0; round < Number(options.rounds); round++) {
          rounds.push([])
          for (const variant of compared) rounds.at(-1)!.push(await run(exchange, agencyPid, variant, rate))
        }
        for (const at of compared.keys()) results.rates.push(middle(rounds.map(figures => figures[at]!)))
      }
      await save(results)
    }
    if (parts.has('cel')) {
      results.cel = { on: { dialplan: await run(exchange, agencyPid, 'dialplan', 40), fallback: await run(exchange, agencyPid, 'fallback', 40) } }
    }
    if (parts.has('live')) results.live = await run(exchange, agencyPid, 'service', 20, { seconds: 20, leaves: 16_000 })
    if (parts.has('many')) results.many = await run(exchange, agencyPid, 'service', 40, { seconds: 250 })
    if (parts.has('search')) {
      for (const variant of ['service', 'dialplan', 'ari'] as const) {
        results.search[variant] = await search(exchange, agencyPid, variant, results.rates)
        await save(results)
      }
    }
  }
  if (results.cel) {
    await using exchange = await open({ cel: false })
    const { child: agency } = await openAgency(exchange.folder)
    await using _ = { [Symbol.asyncDispose]: () => agency.stop(2000) }
    await run(exchange, agency.process.pid!, 'dialplan', 5, { seconds: 2 })
    results.cel.off = { dialplan: await run(exchange, agency.process.pid!, 'dialplan', 40), fallback: await run(exchange, agency.process.pid!, 'fallback', 40) }
  }
  await save(results)
  if (!options.quick) say(`\ndocs/bench.md and var/bench.json are written`)
}

const told = new AbortController()
await steps(makeRoot)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { told.abort(); void tidy().finally(() => process.exit(1)) })
await bench().catch(error => { if (!told.signal.aborted) throw error })          // what is stopped under it complains
