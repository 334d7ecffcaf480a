/**
 * The service: wires everything, top to bottom; starts; drains and stops. This is the one place that reads the
 * environment, and the one to read first.
 */
import { readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { fewOpenFiles } from '../setup/open-files.mjs'
import { audit } from './audit.ts'
import { AmiLink } from './asterisk/ami-link.ts'
import { AriEvents } from './asterisk/ari-events.ts'
import { Gone } from './asterisk/ari-errors.ts'
import { AriLink } from './asterisk/ari-link.ts'
import { Bookkeeper } from './asterisk/bookkeeper.ts'
import { ledgerTells } from './asterisk/ledger.ts'
import { AriCallbackLine } from './asterisk/callback-line.ts'
import { channelsOf } from './asterisk/channels.ts'
import { Health } from './asterisk/health.ts'
import { Heartbeat } from './asterisk/heartbeat.ts'
import { Overload } from './asterisk/overload.ts'
import { PlanLoader } from './asterisk/plan-loader.ts'
import { RefusalLog } from './asterisk/refusal-log.ts'
import { RefusalReport } from './asterisk/refusal-report.ts'
import { Refusals } from './asterisk/refusals.ts'
import { Seen } from './asterisk/seen.ts'
import { Acknowledgements } from './asterisk/acknowledgements.ts'
import { copiesPassword, SipCopies, turnedAway } from './asterisk/sip-copies.ts'
import { SipMessages } from './asterisk/sip-messages.ts'
import { SipReplies } from './asterisk/sip-replies.ts'
import { SilentTalks } from './asterisk/silent-talks.ts'
import { TrunkLine } from './asterisk/trunk-line.ts'
import { Trunks } from './asterisk/trunks.ts'
import type { Note } from './calls/call.ts'
import { endCall, type Ending } from './calls/end-call.ts'
import { LivePlan } from './calls/live-plan.ts'
import type { Step } from './calls/story.ts'
import { Switchboard } from './calls/switchboard.ts'
import { pause, within } from './calls/time.ts'
import { WaitingRoom } from './calls/waiting-room.ts'
import { Courier } from './delivery/courier.ts'
import { planOf, type Changes } from './dialplan/changes.ts'
import { setSwitches } from './dialplan/switching.ts'
import { Versions } from './dialplan/versions.ts'
import { failedSince, Watch } from './dialplan/watch.ts'
import { attemptOf } from './followups/attempt.ts'
import { Book } from './followups/book.ts'
import { recorder, WebhookGateway } from './followups/gateways.ts'
import { Jobs } from './followups/jobs.ts'
import { Messages, messageTries } from './followups/messages.ts'
import { Pacer } from './followups/pacer.ts'
import { takeReply, type Reply } from './followups/replies.ts'
import { ringing } from './followups/ringing.ts'
import { Settler } from './followups/settler.ts'
import { Metrics } from './http/metrics.ts'
import { People } from './http/people.ts'
import { httpServer } from './http/server.ts'
import { loadToken } from './http/token.ts'
import { openLog } from './log.ts'
import { heldSentence, OutboundHold } from './outbound-hold.ts'
import { seconds } from './plan/duration.ts'
import { agencies, ownerOf, sharing } from './plan/plan.ts'
import { numberOf } from './plan/spellings.ts'
import { SwitchFile } from './plan/switches.ts'
import type { SwitchOrder } from './plan/switching.ts'
import { changesOf } from './prepare.ts'
import { Keeper } from './records/keeper.ts'
import { Recordings } from './records/recordings.ts'
import { Records } from './records/records.ts'
import { plainly } from './records/faults.ts'
import { Relay } from './records/relay.ts'
import { forgetOld } from './records/retention.ts'
import { Scribe } from './records/scribe.ts'
import { sharedRecords } from './records/shared.ts'
import type { SignedBy } from './records/tables.ts'
import { secretsIn } from './secrets.ts'
import { serviceCard } from './service-card.ts'
import { editedBy, handedOver, openToNetwork, places, readSettings, type Settings } from './settings.ts'
import { hideLife, showLife } from './show-life.ts'
import { WebhookSecrets } from './webhooks/secrets.ts'
import { Webhooks, webhookTries } from './webhooks/webhooks.ts'

export interface Service {
  /** e.g. `http://127.0.0.1:8080` */
  url: string
  token: string
  tokenMade: boolean
  switchboard: Switchboard
  events: AriEvents
  health: Health
  ari: AriLink
  ami: AmiLink
  records: Records
  keeper: Keeper
  scribe: Scribe
  changes: Changes
  plan: LivePlan
  switches: SwitchFile
  book: Book
  /** New calls take the fallback; calls in our hands are led to their choice; then everything is closed. */
  stop(patience?: number): Promise<void>
}

const app = 'satunomor'

export async function serve(settings: Settings, log: Logger): Promise<Service> {
  const { asterisk, state, database } = settings
  const place = places(state)
  const secrets = await secretsIn(place.secrets)
  const redis = settings.redis ?? `redis://:${secrets.redis}@127.0.0.1:${settings.redisPort}`
  await using started = new AsyncDisposableStack()
  await hideLife(place.alive)
  const card = started.use(await serviceCard(state, log, editedBy(settings)))           // from here on no command makes another plan live behind our back
  const version = await new Versions(place.versions).current()
  if (!version) throw new Error(`there is no service plan in ${place.versions}: npm start makes one of ${settings.plan}`)
  const plan = new LivePlan(await planOf(version))

  // Records: written here first, copied to PostgreSQL where the city has one.
  const keeper = await Keeper.open({ file: place.records, ledgerTells: () => ledgerTells(asterisk.cel), log })
  const local = keeper.records
  const scribe = new Scribe(local, log, { plan: () => plan.now.version })
  const shared = database ? Records.at({ url: database }, log) : undefined
  const relay = shared ? new Relay({ from: local, to: shared, log }).start() : undefined

  // Calls.
  let steps = 0
  const process = `${Date.now().toString(36)}`
  const noteFor = (callId: string): Note => (kind, facts) => scribe.note(
    { callId, key: `${process}-${String(++steps).padStart(9, '0')}`, at: Date.now(), witness: 'service', kind, facts } as Parameters<Scribe['note']>[0])
  const switches = new SwitchFile(place.switches, log)
  const hold = new OutboundHold(place.held, log)
  const book = new Book(local, () => plan.now, () => switches.now)
  const giveWay = (agency: string) => callbacks.giveWay(agency).then(id => id !== undefined, error => {
    log.warn({ err: error, agency }, 'whether a callback keeps a caller waiting could not be asked')
    return false
  })
  const room = new WaitingRoom(agency => sharing(plan.now, agency))
  const switchboard = new Switchboard({ plan: at => plan.at(at), switches: () => switches.now, giveWay, room, noteFor, log })

  // Asterisk: ARI for the calls in our hands, the ledger for all of them, AMI for its health.
  const events = new AriEvents()
  const overload: Overload = new Overload({ onChange: () => { goFirst(log, !overload.on); void heartbeat.tellLoad() }, log })
  const ari: AriLink = new AriLink(
    { url: `http://${asterisk.control}:${asterisk.ariPort}`, user: 'satunomor', password: secrets.ari, app },
    { onEvent: event => events.tell(event), onUp: async () => { await trunkLine.reconcile(); await heartbeat.beat(); catchUp() }, load: overload, log })
  const acknowledgements = new Acknowledgements()
  const trunkLine = new TrunkLine({ link: ari, channels: () => channels(), events, switchboard, app, log, acknowledged: (channel, stop) => acknowledgements.until(channel, stop) })
  const seen = new Seen()
  events.onStasisStart(event => seen.starts(event))
  const heartbeat: Heartbeat = new Heartbeat(ari, log, () => overload.on)
  const refusals = new Refusals()
  const addressOf = (trunk: string) => plan.now.trunks.get(trunk)?.address
  const refusedOf = (step: Step) => {
    if (step.kind !== 'refused') return
    const { trunk, why } = step.facts
    refusals.add({ address: addressOf(trunk) ?? 'unknown', why: why === 'too-many-calls' ? why : 'no-such-number', at: step.at })
    if (why === 'too-many-calls') log.error({ call: step.callId, trunk }, 'call refused: trunk has too many calls')
  }
  const refusalLog = new RefusalLog({ file: asterisk.messages, take: refusal => refusals.add({ ...refusal, at: Date.now() }), log })
  const trunkAt = (address: string) => [...plan.now.trunks].find(([, trunk]) => trunk.address === address)?.[0]
  const refusalReport = new RefusalReport({ refusals, trunkAt, log })
  const sipCopies = new SipCopies({
    address: asterisk.control, port: asterisk.amiPort, password: copiesPassword(secrets), log, trunkAt, calls: acknowledgements,
    take: refused => {
      const at = Date.now()
      refusals.add({ address: refused.address, why: refused.why, at })
      if (plan.now.trunks.get(refused.trunk)?.role === 'carrier') for (const step of turnedAway(refused, at, did => numberOf(plan.now, did))) scribe.note(step)
    }
  })
  const metrics: Metrics = new Metrics({
    figures: async () => ({
      ...await local.totals(), followUps: await book.figures(Date.now()), deliveries: [...await messages.figures(), ...await webhooks.figures()],
      busyLines: (await local.live()).flatMap(({ agency, line }) => agency && line ? [{ agency: ownerOf(plan.now, agency, line), line }] : []),
      lines: agencies(plan.now).flatMap(({ id, lines }) => lines.filter(({ of }) => of === id).map(line => ({ agency: id, line: line.id })))
    }),
    instant: () => ({
      heartbeatAge: heartbeat.beatAt === undefined ? undefined : (performance.now() - heartbeat.beatAt) / 1000,
      ledgerLag: bookkeeper.lag, pendingSteps: scribe.pending, storeRemadeAt: keeper.remadeAt, ...relay ? { postgresql: { server: shared!.address, up: relay.failingSince === null, behind: relay.behind } } : {}, calls: switchboard.size, waiting: room.figures, held: hold.on, linksLost: ari.counts.lost, trunks: trunks.states.flatMap(({ name, up }) => up === null ? [] : [{ trunk: name, up }]), load: { overloaded: overload.on, ...overload.counts }, refused: refusals.counts, queues: { followups: jobs.up, messages: messenger.up, webhooks: porter.up }, sipReplies: sipReplies?.counts ?? {}
    })
  })
  const bookkeeper: Bookkeeper = new Bookkeeper({ heard: step => { overload.heard(step); metrics.note(step); refusedOf(step); room.heard(step); settler.heard(step) }, file: asterisk.cel, records: local, keeper, scribe, ari, channels: () => channels(), seen, inCare: () => switchboard.callIds(), ended: (callId, q850) => {
    if (bookkeeper.whole) log.info({ call: callId }, 'call ended')          // not those of before, which are read again
    trunkLine.ended(callId, q850)
  }, log })
  const ami: AmiLink = new AmiLink({ host: asterisk.control, port: asterisk.amiPort, user: 'satunomor', password: secrets.ami }, { onEvent: event => { refusals.note(event); trunks.hear(event) }, log })
  const channels = channelsOf(ari, ami)
  const trunks: Trunks = new Trunks({ ami, plan: () => plan.now, log })
  const health = new Health({ ari, ami, heartbeat, plan: () => plan.now.version, trunks, warnings: () => [fewOpenFiles() ?? [], hold.on ? heldSentence : [], storeWarnings(keeper, scribe)].flat() })

  // The plan, as it changes.
  const changes: Changes = changesOf(settings, log, { exchange: new PlanLoader({ ari, ami }), follow: next => plan.follow(next), walks: () => plan.now.version, applied: (version, next) => watch.over(version, next) })
  const watch = new Watch({ changes: () => changes, failedSince: (at, most) => failedSince(local, at, most), log })
  const closing = new AbortController()
  let catchingUp: Promise<void> | undefined
  let live = version.version                       // as we looked last; however it came to be another, we go by it
  const catchUp = () => { catchingUp ??= untilDone(() => changes.catchUp(), closing.signal, log).finally(() => { catchingUp = undefined }) }

  const checkBooks = (from: number, to: number) => audit({ file: asterisk.cel, records: local, from, to })

  // Follow-ups: their truth is in the store, what is to be done now in the queue, what came of it in the ledger.
  const callbacks: AriCallbackLine = new AriCallbackLine(ari, channels)
  const settler: Settler = new Settler({
    book, line: callbacks, plan: () => plan.now, log, steps: callIds => local.stepsOf(callIds), note: step => local.append([step]),
    callers: async () => new Set((await local.live()).flatMap(({ cli }) => cli ?? [])), caughtUp: () => ari.up && bookkeeper.caughtUp
  })
  const jobs: Jobs = new Jobs({
    redis, timezone: plan.now.timezone, audit: checkBooks, log,
    checkStore: () => keeper.check(),
    retention: () => forgetOld(local, asterisk.mailbox, plan.now.retention, Date.now()),
    callback: async attempt => {
      if (!ari.up || hold.on) return                          // nobody could be asked: it stays claimed, and is queued again when somebody can
      const followUp = await book.begin(attempt, Date.now())
      if (followUp) await callbacks.ring(ringing(plan.now, followUp, attempt.attempt))
    }
  })
  const pacer = new Pacer({ book, plan: () => plan.now, live: () => local.live(), ready: () => ari.up && jobs.up && !hold.on, whole: () => bookkeeper.whole, queue: claims => jobs.queue(claims), giveWay: () => callbacks.giveWay(), log })

  const end = (ending: Ending) => endCall({
    records: local, note: step => local.append([step], { plan: () => plan.now.version }),
    there: channelId => ari.request('channels', 'get', { channelId }).then(() => true, error => { if (error instanceof Gone) return false; throw error }),
    hangUp: channelId => ari.request('channels', 'hangup', { channelId }).then(() => {}, error => { if (!(error instanceof Gone)) throw error })
  }, ending)
  const silentTalks = new SilentTalks({
    link: ari, channels, limit: () => plan.now.silentTalk, log,
    // The caller's channel has the call's id; of a callback the citizen's is any of them.
    end: async (channels, silence) => {
      const calls = new Set((await local.live()).map(({ callId }) => callId))
      const callId = channels.find(id => calls.has(id))
      if (callId !== undefined) await end({ callId, who: 'satunomor', reason: `no sound from either side for ${Math.round(silence / 1000)} s` })
      else for (const channelId of channels) await ari.request('channels', 'hangup', { channelId }).catch(error => { if (!(error instanceof Gone)) throw error })
      return callId ?? channels.find(id => attemptOf(id) !== undefined)
    }
  })

  const setByHand = async (order: SwitchOrder, signedBy: SignedBy) => {
    try {
      return await setSwitches({ file: place.switches, plan: plan.now, audit: (who, what) => local.audit(who, what, null, signedBy) }, order)
    } finally {
      await switches.look()
    }
  }

  // What citizens are told by SMS or the like.
  const gateway = settings.messages.by === 'webhook' ? new WebhookGateway(settings.messages) : settings.messages.by === 'sip'
    ? new SipMessages({ link: ari, plan: () => plan.now, cliOf: async ({ followupId }) => plan.now.followups.outbound.cli ?? (await book.get(followupId))!.followUp.did })
    : recorder
  const messenger: Courier = new Courier({ name: 'message', redis, concurrency: 10, retry: messageTries, deliver: async id => { if (!hold.on) await messages.send(id) }, log })
  const messages: Messages = new Messages({ book, records: local, plan: () => plan.now, gateway, retry: messageTries, queue: ids => messenger.queue(ids), ready: () => messenger.up && !hold.on, log })
  const messaging = {
    messages: { list: messages.list.bind(messages), status: messages.status.bind(messages), reply: (reply: Reply) => takeReply(book, plan.now, reply, Date.now()) },
    ...settings.messages.by === 'webhook' ? { secret: settings.messages.secret } : {}
  }
  const sipReplies: SipReplies | undefined = settings.messages.by === 'sip' ? new SipReplies({ link: ari, folder: asterisk.replies, take: messaging.messages.reply, log }) : undefined

  // What agencies' own systems are told.
  const webhookSecrets = new WebhookSecrets(place.webhooks)
  const porter: Courier = new Courier({ name: 'webhook', redis, concurrency: 100, retry: webhookTries, deliver: async id => { if (!hold.on) await webhooks.deliver(id) }, log })
  const webhooks: Webhooks = new Webhooks({ records: local, plan: () => plan.now, secrets: agency => webhookSecrets.of(agency, Date.now()), retry: webhookTries, queue: ids => porter.queue(ids), ready: () => porter.up && !hold.on, held: () => hold.on, whole: () => bookkeeper.whole, log })

  const { token, made: tokenMade } = settings.token ? { token: settings.token, made: false } : await loadToken(place.token)
  const release = (JSON.parse(await readFile(join(settings.project, 'package.json'), 'utf8')) as { version: string }).version
  const { names, proxies, metricsToken } = settings.edge
  const edge = { bound: settings.http.host, names, proxies, ...metricsToken === undefined ? {} : { metricsToken } }
  for (const warning of openToNetwork(settings)) log.warn({ warning }, 'the API is open to the network without TLS')
  const http = await httpServer({ records: shared ? sharedRecords({ shared, local, away: () => relay!.failingSince !== null, log }) : local, live: () => local.live(), end, timezone: () => plan.now.timezone, token, people: new People(place.people, log), log, ready: () => health.ready(), version: release, metrics, audit: checkBooks, refused: limit => refusals.lastHour(limit), trunks: () => trunks.states, access: local, changes, directory: () => plan.now.directory, switches: { now: () => switches.now, set: setByHand }, messaging, webhooks, followUps: { book, plan: () => plan.now, records: local, held: () => hold.on }, recordings: new Recordings(local, asterisk.mailbox), queues: [...jobs.queues, ...messenger.queues, ...porter.queues], edge })

  watch.goOn(version, plan.now)
  await switches.open()
  await hold.open()
  const talking = await local.live().catch(error => { log.warn(plainly(error), 'live calls unknown; store is away'); return [] })
  for (const { callId, agency, line } of talking) if (agency && line) room.holds(callId, { agency, line })
  await metrics.begin()
  keeper.onRenewed(() => bookkeeper.readAgain())
  bookkeeper.open()
  ari.open()
  ami.open()
  heartbeat.start()
  refusalLog.start()
  refusalReport.start()
  sipCopies.start()
  trunks.start()
  trunkLine.start()
  silentTalks.start()
  jobs.start()
  settler.start()
  pacer.start()
  messenger.start()
  messages.start()
  sipReplies?.start()
  porter.start()
  webhooks.start()
  const url = await http.listen(settings.http)
  await showLife(place.alive, log)
  await card.show(url)
  const looking = setInterval(() => void changes.versions.look().then(seen => { if (seen && seen.version !== live) { live = seen.version; catchUp() } }), seconds(5))
  if (settings.shed) overload.start()
  void keeper.check().catch(error => log.error(plainly(error), 'store could not be checked'))
  log.info({ url, version: version.version, plan: plan.now.version, numbers: [...plan.now.numbers.keys()] }, 'the service is up')

  const held = started.move()
  const stop = async (patience = 15_000) => {
    log.info({ calls: switchboard.size }, 'draining: new calls take the fallback')
    overload.close()
    clearInterval(looking)                     // an upgrade has rendered its own: the next service follows it
    await heartbeat.stop()
    health.drains()
    await within(seconds(patience / 1000), 'calls in our hands', trunkLine.settled()).catch(() => log.warn({ calls: switchboard.size }, 'draining took too long: Asterisk keeps the calls, the next service goes on with them'))
    await card.hide()
    await http.close()
    closing.abort()
    await watch.close()
    await catchingUp
    await webhooks.close()
    await porter.close()
    await sipReplies?.close()
    await messages.close()
    await messenger.close()
    await pacer.close()
    await jobs.close()
    await settler.close()
    await sipCopies.close()
    await refusalLog.close()
    await refusalReport.close()
    await trunks.close()
    await trunkLine.close()
    await silentTalks.close()
    await ari.close()
    await ami.close()
    switches.close()
    hold.close()
    await bookkeeper.close()
    await scribe.close()
    await relay?.[Symbol.asyncDispose]()
    await shared?.[Symbol.asyncDispose]()
    await keeper[Symbol.asyncDispose]()
    await held[Symbol.asyncDispose]()
    log.info('the service has stopped')
  }
  return { url, token, tokenMade, switchboard, events, health, ari, ami, records: local, keeper, scribe, changes, plan, switches, book, stop }
}

/** What `/readyz` says of the store. Calls are served all the same. */
function storeWarnings({ warnings }: Keeper, { failingSince, pending }: Scribe): string[] {
  if (warnings.length > 0 || failingSince === null) return warnings
  return [`the store takes nothing since ${new Date(failingSince).toISOString()}: ${pending} steps of calls wait in memory, follow-ups wait (is the disk full?)`]
}

/** Tries again each second what Asterisk, or somebody who holds the lock, does not let be done yet. */
async function untilDone(work: () => Promise<void>, stop: AbortSignal, log: Logger) {
  while (!stop.aborted) {
    try {
      return await work()
    } catch (error) {
      log.warn({ err: error }, 'Asterisk was not asked which plan it has loaded, or could not load the live one: again in a second')
    }
    await pause(seconds(1), stop)
  }
}

/**
 * Where there is more to do than cores, Asterisk has hundreds of threads that want one, and we have this one: without going first it
 * would get a hundredth, and who waits for a menu would wait for it. While Asterisk takes the new calls alone, it goes before us. (Linux: of
 * this thread, and of those that it starts.)
 */
function goFirst(log: Logger, first = true) {
  try {
    setPriority(0, first ? -10 : 5)
  } catch (error) {
    log.info({ err: error }, 'the service goes no further ahead than others (nice): under a load that fills the machine its callers wait longer')
  }
}

/** What only the start needed: some 15 MB that would else stay ours, since the heap hardly grows from here on (`--expose-gc`). */
function giveBack() {
  (globalThis.gc as unknown as ((how: object) => void) | undefined)?.({ type: 'major', flavor: 'last-resort' })
}

if (import.meta.main) {
  const project = dirname(dirname(fileURLToPath(import.meta.url)))
  try {
    const settings = readSettings(handedOver(process.env), project)
    const { log, written } = openLog(settings.logLevel)
    goFirst(log)
    const service = await serve(settings, log)
    giveBack()
    if (service.tokenMade) process.stderr.write(`\nThe API's token was made; it is shown this once and kept in ${places(settings.state).token}:\n  ${service.token}\n\n`)
    const stop = Promise.withResolvers<string>()
    process.once('SIGTERM', stop.resolve)
    process.once('SIGINT', stop.resolve)
    await stop.promise
    await service.stop()
    await written()
    process.exit(0)           // everything is closed; a connection that somebody else holds open does not hold us up
  } catch (error) {
    process.stderr.write(`The service did not start: ${(error as Error).message}\n`)
    process.exit(1)
  }
}
