/** A PostgreSQL for a test: an empty server of its own. A store that was not tested on it is not a store that passed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { postgres as program } from '../../setup/parts.mjs'
import { launch, type Running } from './launch.ts'

export interface TestPostgres extends AsyncDisposable {
  url: string
  /** Takes the server away, and brings it back at the same address with what it held. */
  stop(): Promise<void>
  start(): Promise<void>
  /** As `stop`, but as a crash would. */
  kill(): Promise<void>
}

export async function postgres(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-postgres-'))
  const port = await freePort()
  const url = `postgres://satunomor@127.0.0.1:${port}/postgres`
  let server: Running | undefined
  const start = async () => { server = await launch('PostgreSQL', program({ folder, address: '127.0.0.1', port }), () => answers(url)) }
  await start()
  return {
    url, start,
    stop: async () => { await server?.stop() },
    kill: async () => { await server?.kill() },
    async [Symbol.asyncDispose]() {
      await server?.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.end()
  return true
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  await new Promise(closed => probe.close(closed))
  return port
}
