/** Bull Board: the queues as BullMQ has them, for admins to look at, never to change. The browser asks for a token. */
import type { Queue } from 'bullmq'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Refusal } from './faults.ts'
import { askers, type Keys } from './guard.ts'
import { sameName } from './names.ts'

export const boardPath = '/queues'

/** Registers the board; user `admin` with the city's token, or an admin by name with their own (HTTP Basic: a browser cannot bear one otherwise). */
export async function board(app: FastifyInstance, { queues, ...keys }: { queues: readonly Queue[] } & Keys) {
  const askerOf = askers(keys)
  // Loaded when somebody first looks: it takes memory that a night without onlookers has better use for.
  let loaded: ReturnType<typeof load> | undefined
  app.addHook('onClose', async () => { await (await loaded?.catch(() => undefined))?.close() })
  await app.register(async inside => {
    inside.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      const [user, password] = Buffer.from(/^Basic +([\w+/=]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '', 'base64').toString().split(/:(.*)/s)
      const asker = await askerOf(password ?? '')
      if (!asker || !sameName(user!, asker.person?.name ?? 'admin')) {
        return reply.code(401).header('www-authenticate', 'Basic realm="satunomor", charset="UTF-8"').send({ error: 'unauthorized', message: 'Your name, and your own token as the password; or admin, and the service\'s token.' })
      }
      if (asker.person?.role === 'desk') throw new Refusal(403, 'forbidden', `The queues are for admins, and ${asker.person.name} is at the desk.`)
    })
    const show = async (request: FastifyRequest, reply: FastifyReply) => {
      const { routing } = await (loaded ??= load(queues).catch(error => { loaded = undefined; throw error }))
      const headers = reply.getHeaders()
      reply.hijack()
      for (const [name, value] of Object.entries(headers)) if (value !== undefined) reply.raw.setHeader(name, value)
      routing(request.raw, reply.raw)
    }
    inside.removeAllContentTypeParsers()
    inside.addContentTypeParser('*', (_request, _payload, done) => { done(null) })       // the board reads it for itself
    for (const path of [boardPath, `${boardPath}/*`]) inside.route({ method: ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'], url: path, schema: { hide: true } as object, handler: show })
  })
}

async function load(queues: readonly Queue[]) {
  const [{ createBullBoard }, { BullMQAdapter }, { FastifyAdapter }] = await Promise.all([
    import('@bull-board/api'), import('@bull-board/api/bullMQAdapter'), import('@bull-board/fastify')])
  const adapter = new FastifyAdapter()
  adapter.setBasePath(boardPath)
  createBullBoard({ queues: queues.map(queue => new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })), serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Satunomor', hideRedisDetails: true } } })
  const inner = fastify({ routerOptions: { ignoreTrailingSlash: true } })
  await inner.register(adapter.registerPlugin() as never, { prefix: boardPath })
  await inner.ready()
  return inner
}
