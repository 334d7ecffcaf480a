/** The service plan's versions, and how they change: the same as the admin's commands. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotApplied, type Changes } from '../dialplan/changes.ts'
import { Locked } from '../dialplan/lock.ts'
import { NotPrepared } from '../dialplan/prepare.ts'
import { SmokeFailed } from '../dialplan/smoke.ts'
import { SynthesisFailed } from '../dialplan/synthesise.ts'
import { NoVersion, type Version } from '../dialplan/versions.ts'
import { formatFault, type Fault as PlanFault } from '../plan/faults.ts'
import { Refusal } from './faults.ts'
import { defaulted, Fault, NoQuery } from './schemas.ts'

export interface PlanOptions {
  changes: Changes
}

const orNull = Type.Union([Type.Integer(), Type.Null()])
const VersionOut = Type.Object({
  version: Type.Integer({ description: 'Counted from 1.' }),
  plan: Type.String({ description: 'The version of plan.yaml: the first 12 hex digits of its SHA-256.' }),
  at: Type.String({ description: 'When it was made (ISO 8601, UTC).' }),
  who: Type.String(), why: Type.String(),
  base: Type.Unsafe<number | null>({ ...orNull, description: 'The version that was live before.' }),
  restores: Type.Unsafe<number | null>({ ...orNull, description: 'The version whose content this is, after a rollback.' }),
  live: Type.Boolean()
}, { title: 'PlanVersion' })
const Changed = Type.Object({
  version: VersionOut,
  steps: Type.Array(Type.Object({ step: Type.String(), ms: Type.Integer({ description: 'How long it took.' }) }))
}, { title: 'PlanChange' })
const Checked = Type.Object({
  ok: Type.Boolean({ description: 'It may be applied.' }),
  faults: Type.Array(Type.String(), { description: 'Each with file, line and column; warnings, too.' })
}, { title: 'PlanCheck' })
const Applied = Type.Object({ ...Changed.properties, warnings: Type.Array(Type.String(), { description: 'What `validate` warns of, each with file, line and column, and what takes effect later.' }) }, { title: 'AppliedPlan' })
const Text = Type.Object({ diff: Type.String({ description: 'As `diff -u` writes it; empty where nothing differs.' }) }, { title: 'PlanDiff' })
const who = Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\p{C}]+$', description: 'Who wants it; kept with the version. Left out with a token of one\'s own.' }))
const why = Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\p{C}]+$', description: 'Why; kept with the version.' })
const Apply = Type.Object({ who, why, base: Type.Optional(Type.Integer({ minimum: 1, description: 'The version that the edit began from. Left out: the one that the folder gave last.' })),
  smoke: defaulted(Type.Boolean({ default: true, description: 'false: without the smoke call.' })) }, { title: 'PlanApply', examples: [{ why: 'Tombol ketiga.' }], additionalProperties: false })
const Rollback = Type.Object({ who, why, to: Type.Optional(Type.Integer({ minimum: 1, description: 'Left out: the version before.' })) }, { title: 'PlanRollback', examples: [{ why: 'Tombol salah.' }], additionalProperties: false })
const Between = Type.Object({
  from: Type.Optional(Type.Integer({ minimum: 1, description: 'Left out: what is live.' })),
  to: Type.Optional(Type.Integer({ minimum: 1, description: 'Left out: the admin\'s folder.' }))
}, { additionalProperties: false })

const refusals = { 401: Fault, 404: Fault, 409: Fault, 422: Fault, 503: Fault }
const about = { tags: ['plan'], security: [{ token: [] }] }

export const planRoutes: FastifyPluginAsyncTypebox<PlanOptions> = async (app, { changes }) => {
  app.get('/plan/versions', {
    schema: { operationId: 'listPlanVersions', summary: 'Every version of the service plan, the newest first', ...about, querystring: NoQuery, response: { 200: Type.Object({ versions: Type.Array(VersionOut) }, { title: 'PlanVersionList' }), ...refusals } }
  }, async () => {
    const live = await answered(() => changes.versions.current())
    return { versions: (await changes.versions.list()).reverse().map(version => shown(version, live)) }
  })

  app.get('/plan', {
    schema: { operationId: 'getLivePlan', summary: 'The version that is live', ...about, querystring: NoQuery, response: { 200: VersionOut, ...refusals } }
  }, async () => {
    const live = await answered(() => changes.versions.current())
    if (!live) throw new Refusal(503, 'no-plan', 'No version is live.', 'npm start makes one.')
    return shown(live, live)
  })

  app.get('/plan/diff', {
    schema: { operationId: 'diffPlan', summary: 'What differs between two versions, or between what is live and the admin\'s folder', ...about, querystring: Between, response: { 200: Text, ...refusals } }
  }, async ({ query: { from, to } }) => ({ diff: await answered(() => changes.diff(from, to)) }))

  app.post('/plan/validate', {
    schema: { operationId: 'validatePlan', summary: 'Checks the admin\'s folder whole; nothing changes', ...about, querystring: NoQuery, response: { 200: Checked, ...refusals } }
  }, async () => {
    try {
      await using draft = await changes.draft()
      return { ok: true, faults: draft.candidate.warnings.map(formatFault) }
    } catch (error) {
      const { faults } = error as { faults?: PlanFault[] }
      if (faults) return { ok: false, faults: faults.map(formatFault) }
      if (error instanceof SynthesisFailed) return { ok: false, faults: error.failures }
      throw error
    }
  })

  app.post('/plan/render', {
    schema: { operationId: 'renderPlan', summary: 'What Asterisk would load; nothing changes', ...about, querystring: NoQuery, response: { 200: Type.Object({ files: Type.Record(Type.String(), Type.String(), { description: 'Text by file name.' }) }, { title: 'PlanFiles' }), ...refusals } }
  }, () => answered(async () => {
    await using draft = await changes.draft()
    return { files: Object.fromEntries(draft.candidate.files) }
  }))

  app.post('/plan/apply', {
    schema: {
      operationId: 'applyPlan', summary: 'Makes the admin\'s folder live', ...about, querystring: NoQuery, body: Apply, response: { 200: Applied, ...refusals },
      description: 'Check, render, lint, smoke call, swap, reload of what changed, verify. At any failed step nothing has changed. 409: somebody else is at it, or changed the plan meanwhile; 422: faults.'
    }
  }, async ({ body, asker }) => {
    const warnings: string[] = []
    const changed = await timed(tell => changes.apply({ ...body, who: asker.who(body.who), tell, warn: warning => warnings.push(warning) }))
    return { ...changed, warnings }
  })

  app.post('/plan/rollback', {
    schema: { operationId: 'rollBackPlan', summary: 'Makes a former version live again', ...about, querystring: NoQuery, body: Rollback, response: { 200: Applied, ...refusals } }
  }, async ({ body, asker }) => {
    const warnings: string[] = []
    const changed = await timed(tell => changes.rollBack({ ...body, who: asker.who(body.who), tell, warn: warning => warnings.push(warning) }))
    return { ...changed, warnings }
  })
}

const shown = ({ version, plan, at, who, why, base, restores }: Version, live: Version | undefined) =>
  ({ version, plan, at, who, why, base, restores, live: version === live?.version })

/** Does it, and says how long each step took. */
async function timed(work: (tell: (step: string) => void) => Promise<Version>) {
  const steps: { step: string, began: number }[] = []
  const version = await answered(() => work(step => steps.push({ step, began: performance.now() })))
  const end = performance.now()
  return {
    version: shown(version, version),
    steps: steps.map(({ step, began }, at) => ({ step, ms: Math.round((steps[at + 1]?.began ?? end) - began) }))
  }
}

/** What whoever asked can do something about becomes an answer. */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { message } = error as Error
    if (error instanceof NoVersion) throw new Refusal(error.reason === 'no-version' ? 404 : 409, error.reason, message)
    if (error instanceof Locked) throw new Refusal(409, 'locked', message)
    if (error instanceof NotPrepared || error instanceof SynthesisFailed) throw new Refusal(422, 'faults', message, 'Mend them; nothing has changed.')
    if (error instanceof SmokeFailed) throw new Refusal(422, 'smoke', message, 'Nothing has changed.')
    if (error instanceof NotApplied) throw new Refusal(error.reason === 'failed' ? 503 : 409, error.reason, message)
    throw error
  }
}
