/** The service's web side: health for machines, calls for the command centre, and /docs, which explains both. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Queue } from 'bullmq'
import fastify, { LogController, type FastifyBaseLogger, type RouteOptions } from 'fastify'
import type { Logger } from 'pino'
import { Type } from 'typebox'
import { board } from './board.ts'
import { callRoutes, type CallsOptions } from './calls.ts'
import { directoryRoutes, type DirectoryOptions } from './directory.ts'
import { answer, answerFaults, answerNoRequest, refuseNonFinite } from './faults.ts'
import { bearer, metricsReader, protect, type Keys } from './guard.ts'
import { refuseOtherHosts } from './hosts.ts'
import { followUpRoutes, type FollowUpsOptions } from './followups.ts'
import type { Metrics } from './metrics.ts'
import { gatewayRoutes, messageRoutes, type MessageOptions } from './messages.ts'
import { recordingRoutes } from './recordings.ts'
import type { Recordings } from '../records/recordings.ts'
import { documentOf } from './openapi.ts'
import { planRoutes, type PlanOptions } from './plan.ts'
import { operationsRoutes, type OperationsOptions } from './operations.ts'
import { RequestLog } from './request-log.ts'
import { Fault, Health, Readiness } from './schemas.ts'
import { switchesRoutes, type SwitchesOptions } from './switches.ts'
import { limitUnderWay } from './under-way.ts'
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
  edge?: Edge
}

/** Where the server meets the network. */
export interface Edge {
  /** The address that it will listen on; 127.0.0.1 if left out. */
  bound?: string
  /** Further names and addresses that it answers under. */
  names?: readonly string[]
  /** Proxies, by address or CIDR, whose word on the client's address counts. */
  proxies?: readonly string[]
  /** Opens /metrics to other machines, and nothing else. */
  metricsToken?: string
  /** How long a request may take to arrive whole, ms; 10 s if left out. */
  patience?: number
}

/** The app, ready to `listen` or `inject`. It reads no environment and opens no port by itself. */
export async function httpServer({ records, live, end, timezone, token, people, log, ready, version, metrics, audit, refused, trunks, access, changes, directory, switches, messaging, webhooks, followUps, recordings, queues, edge = {} }: HttpOptions) {
  const zone = timezone ?? (followUps ? () => followUps.plan().timezone : undefined)
  const inZone = zone ? { timezone: zone } : {}
  const { patience = 10_000 } = edge
  const app = fastify({
    loggerInstance: quiet(log),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 500 },
    bodyLimit: 64 * 1024,
    requestTimeout: patience,
    http: { requestTimeout: patience, headersTimeout: patience, connectionsCheckingInterval: patience / 10 },          // Node looks each 30 s by itself
    clientErrorHandler: answerNoRequest,
    ...edge.proxies?.length ? { trustProxy: [...edge.proxies] } : {},
    forceCloseConnections: true,          // live streams never end by themselves
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
    frameworkErrors: (error, request, reply) => { void answer(error, request, reply) }
  }).withTypeProvider<TypeBoxTypeProvider>()

  answerFaults(app as never)
  app.addHook('onRequest', protect)
  app.addHook('onRequest', refuseOtherHosts({ bound: edge.bound ?? '127.0.0.1', ...edge.names ? { names: edge.names } : {} }))
  app.addHook('onRequest', limitUnderWay())
  app.addHook('preHandler', refuseNonFinite)
  if (people) {
    app.addHook('onReady', () => people.open())
    app.addHook('onClose', async () => people.close())
  }
  const requests = new RequestLog(log)
  app.addHook('onReady', async () => requests.start())
  app.addHook('onClose', async () => requests.close())
  app.addHook('onResponse', async (request, reply) => {
    const { log, method, ip, asker, signed, why, routeOptions: { url } } = request
    const { statusCode: status, elapsedTime } = reply
    if (status === 401 || status === 403) metrics?.turnedAway(status)
    // A person by name, or `city-token`. Never a token.
    const person = asker ? asker.person?.name ?? 'city-token' : null
    const { callId, id } = (request.params ?? {}) as { callId?: string, id?: string }
    const about = { ...callId === undefined ? {} : { call: callId }, ...id !== undefined && url?.startsWith('/api/followups/') ? { followUp: id } : {} }
    requests.note({ log, method, route: url ?? null, about, status, ms: Math.round(elapsedTime), address: ip, known: asker !== undefined || signed === true, person, ...why === undefined ? {} : { why } })
  })

  await app.register(swagger, documentOf(version))
  // 100 kB, for anybody who asks: made once.
  const documents = new Map<string, Buffer>()
  const made = (route: string, make: () => string) => documents.get(route) ?? documents.set(route, Buffer.from(make())).get(route)!
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { validatorUrl: null }, uiHooks: { onRequest: async ({ routeOptions: { url } }, reply) => {
    if (url === '/docs/json') return reply.type('application/json; charset=utf-8').send(made(url, () => JSON.stringify(app.swagger())))
    if (url === '/docs/yaml') return reply.type('application/x-yaml').send(made(url, () => app.swagger({ yaml: true })))
  } } })

  app.get('/healthz', {
    config: { health: true },
    schema: { operationId: 'getHealth', summary: 'The process is alive', tags: ['health'], security: [], response: { 200: Health, 421: Fault } }
  }, async () => ({ status: 'ok' as const }))

  // It asks Asterisk: those who ask meanwhile get the same answer.
  let finding: ReturnType<typeof ready> | undefined
  const found = () => finding ??= ready().finally(() => { finding = undefined })
  app.get('/readyz', {
    config: { health: true },
    schema: { operationId: 'getReadiness', summary: 'Calls can be served', tags: ['health'], security: [], response: { 200: Readiness, 421: Fault, 503: Readiness } }
  }, async (request, reply) => {
    const state: Awaited<ReturnType<typeof ready>> = await found().catch(error => {
      request.log.error({ reason: (error as Error).message }, 'readiness could not be found out')
      return { ready: false, missing: ['an answer: readiness could not be found out, the log says why'] }
    })
    return reply.code(state.ready ? 200 : 503).send({ warnings: [], ...state })
  })

  if (metrics) {
    app.get('/metrics', {
      onRequest: metricsReader({ token, ...people ? { people } : {}, ...edge.metricsToken === undefined ? {} : { metricsToken: edge.metricsToken } }),
      schema: {
        operationId: 'getMetrics', summary: 'Figures for Prometheus', tags: ['operations'], description: 'Programs of this machine need no token. Others need that of SATUNOMOR_METRICS_TOKEN, or one that may do everything.',
        security: [{}, { token: [] }], response: { 200: { description: 'Prometheus\' text format.', content: { 'text/plain': { schema: Type.String() } } }, 401: Fault, 403: Fault, 421: Fault, 500: Fault, 503: Fault }
      }
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
    await api.register(callRoutes, { records, ...followUps ? { plan: followUps.plan } : {}, ...live ? { live } : {}, ...end ? { end } : {}, ...inZone })
  }, { prefix: '/api' })

  if (messaging) await app.register(gatewayRoutes, { ...messaging, prefix: '/api' })

  return app
}

/** In the document: for whom a route is, that others are refused, that a request can be malformed, and that the store or we may fail. */
function sayForWhom(route: RouteOptions) {
  const { method, schema: { description, response, params } = {}, config } = route
  const refusals = { 400: Fault, 401: Fault, ...params === undefined ? {} : { 414: Fault }, ...method === 'GET' || method === 'HEAD' ? {} : { 413: Fault, 415: Fault }, 421: Fault, 500: Fault, 503: Fault }
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
