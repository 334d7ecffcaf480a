/** Bull Board: the queues as BullMQ has them, for admins to look at, never to change. The browser asks for the service's token. */
import type { Queue } from 'bullmq'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { bearsToken } from './guard.ts'

export const boardPath = '/queues'

/** Registers the board; user `admin`, password: the token (HTTP Basic: a browser cannot bear one otherwise). */
export async function board(app: FastifyInstance, { queues, token }: { queues: readonly Queue[], token: string }) {
  const [{ createBullBoard }, { BullMQAdapter }, { FastifyAdapter }] = await Promise.all([
    import('@bull-board/api'), import('@bull-board/api/bullMQAdapter'), import('@bull-board/fastify')])
  const adapter = new FastifyAdapter()
  adapter.setBasePath(boardPath)
  createBullBoard({ queues: queues.map(queue => new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })), serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Satunomor', hideRedisDetails: true } } })
  const signedIn = bearsToken(token)
  await app.register(async inside => {
    inside.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      const [user, password] = Buffer.from(/^Basic +([\w+/=]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '', 'base64').toString().split(/:(.*)/s)
      if (user === 'admin' && signedIn(password ?? '')) return
      return reply.code(401).header('www-authenticate', 'Basic realm="satunomor", charset="UTF-8"').send({ error: 'unauthorized', message: 'User admin; the password is the service\'s token.' })
    })
    await inside.register(adapter.registerPlugin() as never, { prefix: boardPath })
  })
}
