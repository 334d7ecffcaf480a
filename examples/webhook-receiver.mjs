// A receiver of Satunomor's webhooks, whole: Node alone, no package. Run it, and name it in the plan:
//
//     SECRET=$(npx satunomor webhook secret bpbd) PORT=9112 node examples/webhook-receiver.mjs
//
//     agencies: { bpbd: { webhook: { url: "http://127.0.0.1:9112/satunomor" } } }
//
// It takes what is signed with the secret, of now, and new; and prints a line for each event. Behind a web server that
// does TLS it may stand anywhere; a receiver in another language does the same (https://www.standardwebhooks.com).
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const { SECRET = '', PORT = '9112', ADDRESS = '127.0.0.1' } = process.env
const key = Buffer.from(SECRET.replace(/^whsec_/, ''), 'base64')
if (key.length < 24) throw new Error('SECRET is missing: npx satunomor webhook secret AGENCY')

/** Ids that were taken, newest last: the same event may come twice. A real system keeps them where it keeps the events. */
const taken = new Set()

createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) if (pieces.push(piece) > 100) return request.destroy()
  const body = Buffer.concat(pieces).toString()

  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signatures = '' } = request.headers
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest()
  // While the secret is being changed there are two signatures; one of them is right.
  const signed = String(signatures).split(' ').some(one => {
    const given = Buffer.from(one.replace(/^v1,/, ''), 'base64')
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
  const fresh = Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300
  if (!signed || !fresh) {
    response.writeHead(401).end()
    return
  }

  // Answer at once, work afterwards: whoever takes longer than ten seconds is told the same again.
  response.writeHead(204).end()
  if (taken.has(id)) return
  taken.add(id)
  if (taken.size > 10_000) taken.delete(taken.values().next().value)

  const { type, timestamp: at, agency, sequence, data } = JSON.parse(body)
  console.log([at, agency, sequence ?? '-', type, data.line ?? data.state ?? '', data.number ?? ''].join(' ').trim())
}).listen(Number(PORT), ADDRESS, () => console.log(`listening at http://${ADDRESS}:${PORT}/`))
