/** A second service at the follow-ups: the same store, Redis and Asterisk, in a process of its own. Writes `rival-up` into its state's folder when it is at work. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { AriLink } from '../../src/asterisk/ari-link.ts'
import { AriCallbackLine } from '../../src/asterisk/callback-line.ts'
import { planOf } from '../../src/dialplan/changes.ts'
import { Versions } from '../../src/dialplan/versions.ts'
import { Book } from '../../src/followups/book.ts'
import { Jobs } from '../../src/followups/jobs.ts'
import { Pacer } from '../../src/followups/pacer.ts'
import { ringing } from '../../src/followups/ringing.ts'
import { Records } from '../../src/records/records.ts'
import { secretsIn } from '../../src/secrets.ts'
import { places, readSettings } from '../../src/settings.ts'

const log = pino({ level: process.env['SATUNOMOR_LOG'] ?? 'silent' })
const settings = readSettings(process.env, join(import.meta.dirname, '..', '..'))
const place = places(settings.state)
const plan = await planOf((await new Versions(place.versions).current())!)
const { asterisk, redis = '' } = settings
const up = Promise.withResolvers<void>()
const ari = new AriLink(
  { url: `http://${asterisk.control}:${asterisk.ariPort}`, user: 'satunomor', password: (await secretsIn(place.secrets)).ari, app: 'rival' },
  { onEvent: () => {}, onUp: async () => up.resolve(), log })
const records = await Records.open({ file: place.records }, log)
const book = new Book(records, () => plan)
const line = new AriCallbackLine(ari)
const jobs = new Jobs({
  redis, timezone: plan.timezone, retention: async () => ({}), checkStore: async () => true, audit: () => Promise.reject(new Error('the other one checks the books')), log,
  callback: async attempt => {
    if (!ari.up) return
    const followUp = await book.begin(attempt, Date.now())
    if (followUp) await line.ring(ringing(plan, followUp, attempt.attempt))
  }
})
const pacer = new Pacer({ book, plan: () => plan, live: () => records.live(), ready: () => ari.up && jobs.up, queue: claims => jobs.queue(claims), giveWay: () => line.giveWay(), log })
ari.open()
jobs.start()
pacer.start()
await up.promise
await writeFile(join(settings.state, 'rival-up'), '')
