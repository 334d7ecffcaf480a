/** The service's web side: health for machines, calls for the command centre, and /docs, which explains both. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Queue } from 'bullmq'
import fastify, { LogController, type FastifyBaseLogger, type RouteOptions } from 'fastify'
import type { Logger } from 'pino'
import { board } from './board.ts'
import { callRoutes, type CallsOptions } from './calls.ts'
import { directoryRoutes, type DirectoryOptions } from './directory.ts'
import { answer, answerFaults, refuseNonFinite } from './faults.ts'
import { bearer, protect, type Keys } from './guard.ts'
import { followUpRoutes, type FollowUpsOptions } from './followups.ts'
import type { Metrics } from './metrics.ts'
import { gatewayRoutes, messageRoutes, type MessageOptions } from './messages.ts'
import { recordingRoutes } from './recordings.ts'
import type { Recordings } from '../records/recordings.ts'
import { planRoutes, type PlanOptions } from './plan.ts'
import { operationsRoutes, type OperationsOptions } from './operations.ts'
import { Fault, Health, Readiness } from './schemas.ts'
import { switchesRoutes, type SwitchesOptions } from './switches.ts'
import { webhookRoutes, type WebhookOptions } from './webhooks.ts'

export interface HttpOptions extends CallsOptions, Keys {
  log: Logger
  /** Whether calls can be served, and in words what is missing where they cannot. */
  ready: () => Promise<{ ready: boolean, missing: string[], warnings?: string[] }>
  version: string
  /** Prometheus' page, and the audit of a period. */
  metrics?: Metrics
  /** Ends a call from outside. */
  end?: CallsOptions['end']
  audit?: OperationsOptions['audit']
  refused?: OperationsOptions['refused']
  trunks?: OperationsOptions['trunks']
  access?: OperationsOptions['records']
  /** How the service plan changes. */
  changes?: PlanOptions['changes']
  /** Messages to citizens, and the secret of their gateway, where there is one. */
  messaging?: MessageOptions
  /** What agencies' own systems are told. */
  webhooks?: WebhookOptions['webhooks']
  /** Of the plan that is live. */
  directory?: DirectoryOptions['directory']
  /** What admins set by hand. */
  switches?: SwitchesOptions['switches']
  /** What we owe citizens. */
  followUps?: FollowUpsOptions
  /** What they have said into mailboxes. */
  recordings?: Recordings
  /** BullMQ's queues, to be looked at. */
  queues?: readonly Queue[]
}

/** The app, ready to `listen` or `inject`. It reads no environment and opens no port by itself. */
export async function httpServer({ records, live, end, timezone, token, people, log, ready, version, metrics, audit, refused, trunks, access, changes, directory, switches, messaging, webhooks, followUps, recordings, queues }: HttpOptions) {
  const zone = timezone ?? (followUps ? () => followUps.plan().timezone : undefined)
  const inZone = zone ? { timezone: zone } : {}
  const app = fastify({
    loggerInstance: quiet(log),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 500 },
    bodyLimit: 64 * 1024,
    requestTimeout: 10_000,
    forceCloseConnections: true,          // live streams never end by themselves
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
    frameworkErrors: (error, request, reply) => { void answer(error, request, reply) }
  }).withTypeProvider<TypeBoxTypeProvider>()

  answerFaults(app as never)
  app.addHook('onRequest', protect)
  app.addHook('preHandler', refuseNonFinite)
  if (people) {
    app.addHook('onReady', () => people.open())
    app.addHook('onClose', async () => people.close())
  }
  app.addHook('onResponse', async (request, reply) => {
    // The route, not the address: addresses carry what was searched for.
    const { method, routeOptions: { url: route } } = request
    const log = route === '/healthz' || route === '/readyz' || route === '/metrics' ? request.log.debug : request.log.info     // asked every second by machines
    log.call(request.log, { method, route: route ?? null, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'asked')
    if (reply.statusCode !== 401 && reply.statusCode !== 403) return
    metrics?.turnedAway(reply.statusCode)
    request.log.warn({ address: request.ip, person: request.asker?.person?.name ?? null, route: route ?? null, status: reply.statusCode }, 'refused at the API')
  })

  await app.register(swagger, {
    openapi: {
      info: { title: 'Satunomor', version, description: 'One city number: its calls, and how the service is.' },
      components: { securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Your own token (npx satunomor person add), or the city\'s from the service\'s token file, which may do everything.' },
        signature: { type: 'apiKey', in: 'header', name: 'webhook-signature', description: 'Standard Webhooks, with the gateway\'s secret (docs/messages.md).' }
      } }
    }
  })
  // 100 kB, for anybody who asks: made once.
  const documents = new Map<string, Buffer>()
  const made = (route: string, make: () => string) => documents.get(route) ?? documents.set(route, Buffer.from(make())).get(route)!
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { validatorUrl: null }, uiHooks: { onRequest: async ({ routeOptions: { url } }, reply) => {
    if (url === '/docs/json') return reply.type('application/json; charset=utf-8').send(made(url, () => JSON.stringify(app.swagger())))
    if (url === '/docs/yaml') return reply.type('application/x-yaml').send(made(url, () => app.swagger({ yaml: true })))
  } } })

  app.get('/healthz', {
    schema: { summary: 'The process is alive', tags: ['health'], response: { 200: Health } }
  }, async () => ({ status: 'ok' as const }))

  app.get('/readyz', {
    schema: { summary: 'Calls can be served', tags: ['health'], response: { 200: Readiness, 503: Readiness } }
  }, async (request, reply) => {
    const state: Awaited<ReturnType<typeof ready>> = await ready().catch(error => {
      request.log.error({ reason: (error as Error).message }, 'readiness could not be found out')
      return { ready: false, missing: ['an answer: readiness could not be found out, the log says why'] }
    })
    return reply.code(state.ready ? 200 : 503).send({ warnings: [], ...state })
  })

  if (metrics) {
    app.get('/metrics', {
      schema: { summary: 'Figures for Prometheus', tags: ['operations'] }
    }, async (_, reply) => reply.type(metrics.contentType).send(await metrics.page()))
  }

  if (queues) await board(app as never, { queues, token, ...people ? { people } : {} })

  await app.register(async api => {
    api.addHook('onRequest', bearer({ token, ...people ? { people } : {} }))
    api.addHook('onRoute', sayForWhom)
    if (audit && refused) await api.register(operationsRoutes, { audit, refused, ...trunks ? { trunks } : {}, ...access ? { records: access } : {}, ...inZone })
    if (changes) await api.register(planRoutes, { changes })
    if (messaging) await api.register(messageRoutes, messaging)
    if (webhooks) await api.register(webhookRoutes, { webhooks })
    if (directory) await api.register(directoryRoutes, { directory })
    if (switches) await api.register(switchesRoutes, { switches })
    if (followUps) await api.register(followUpRoutes, followUps)
    if (recordings) await api.register(recordingRoutes, { recordings, records: followUps?.records ?? records })
    await api.register(callRoutes, { records, ...live ? { live } : {}, ...end ? { end } : {}, ...inZone })
  }, { prefix: '/api' })

  if (messaging) await app.register(gatewayRoutes, { ...messaging, prefix: '/api' })

  return app
}

/** In the document: for whom a route is, that others are refused, that a request can be malformed, and that the store or we may fail. */
function sayForWhom(route: RouteOptions) {
  const { schema: { description, response, body } = {}, config } = route
  const refusals = { 400: Fault, 401: Fault, ...body === undefined ? {} : { 413: Fault, 415: Fault }, 500: Fault, 503: Fault }
  route.schema = { ...route.schema, description: [description, config?.desk ? 'For the desk and admins.' : 'For admins.'].filter(Boolean).join(' '), response: { ...refusals, ...response as object, 403: Fault } }
}

/** Whatever is logged of a request by whomever: no token, no query. */
const quiet = (log: Logger) => log.child({}, {
  redact: ['authorization', 'headers.authorization', 'req.headers', '*.headers.authorization'],
  serializers: {
    req: ({ method, routeOptions }: { method: string, routeOptions?: { url?: string } }) => ({ method, route: routeOptions?.url ?? null }),
    res: ({ statusCode }: { statusCode: number }) => ({ statusCode })
  }
}) as FastifyBaseLogger
