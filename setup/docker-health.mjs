// The service container's health: `/healthz` (it lives) or `/readyz` (a call made now would be served by it).
const { SATUNOMOR_HTTP_ADDRESS: address, SATUNOMOR_HTTP_PORT: port } = process.env
const host = address || '127.0.0.1'
const answer = await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port || 8080}${process.argv[2]}`)
if (!answer.ok) console.error(await answer.text())
process.exit(answer.ok ? 0 : 1)
