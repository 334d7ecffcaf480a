/**
 * A PostgreSQL for tests: the one that SATUNOMOR_TEST_POSTGRES (postgres://…) names, else this machine's own, started
 * in a temp folder. Without either it throws: a store that was not tested is not a store that passed.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'

const run = promisify(execFile)

export interface TestPostgres extends AsyncDisposable {
  url: string
  /** Takes the server away, and brings it back at the same address; undefined where the server is not ours. */
  stop?: () => Promise<void>
  start?: () => Promise<void>
}

/** An empty database of one's own. */
export async function postgres(): Promise<TestPostgres> {
  const given = process.env.SATUNOMOR_TEST_POSTGRES
  return given ? databaseOn(given) : ownServer()
}

async function databaseOn(url: string): Promise<TestPostgres> {
  const name = `satunomor_${process.pid}_${Date.now()}`
  const admin = async (sql: string) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await admin(`create database ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: own.href, [Symbol.asyncDispose]: () => admin(`drop database if exists ${name} with (force)`) }
}

// ---- The harness will replace all below: it provides SATUNOMOR_TEST_POSTGRES. ----
async function ownServer(): Promise<TestPostgres> {
  const bin = [...globSync('/usr/lib/postgresql/*/bin'), '/usr/local/bin'].find(folder => existsSync(join(folder, 'initdb')))
  if (!bin) throw new Error('no PostgreSQL for the tests: set SATUNOMOR_TEST_POSTGRES=postgres://… or install postgresql (initdb was not found)')
  const folder = await mkdtemp('/tmp/satunomor-postgres-')
  const user: { uid?: number, gid?: number } = {}
  if (process.getuid!() === 0) {
    user.uid = Number((await run('id', ['-u', 'postgres'])).stdout)
    user.gid = Number((await run('id', ['-g', 'postgres'])).stdout)
    await chown(folder, user.uid, user.gid)
  }
  const data = join(folder, 'data')
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'], { ...user, cwd: folder })
  const port = await freePort()
  let ended: Promise<unknown> = Promise.resolve()
  let server: ReturnType<typeof spawn> | undefined
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`

  const start = async () => {
    server = spawn(join(bin, 'postgres'), ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', folder, '-F'], { ...user, cwd: folder, stdio: 'ignore' })
    ended = once(server, 'exit')
    for (const deadline = Date.now() + 20_000; ;) {
      const client = new Client({ connectionString: url })
      try {
        await client.connect()
        return await client.end()
      } catch (error) {
        if (Date.now() > deadline || server.exitCode !== null) throw error
        await new Promise(again => setTimeout(again, 50))
      }
    }
  }
  const stop = async () => {
    server?.kill('SIGQUIT')
    await ended
  }
  await start()
  return {
    url, start, stop,
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  await new Promise(closed => probe.close(closed))
  return port
}
