/** Where the admin's commands find the running service, whatever their shell has as its settings. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runningService, serviceCard } from '../../src/service-card.ts'
import { serviceUrl } from '../../src/verbs/desk.ts'
import { folder } from '../dialplan/folder.ts'
import { aLog } from '../records/stories.ts'

const { log } = aLog()
const host = '127.77.110.7'

/** Something that answers, or what does not any more. */
async function api({ gone = false, code = 200 } = {}) {
  const server = createServer((_, answer) => answer.writeHead(code).end()).listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => { server.closeAllConnections(); server.close() }
  if (gone) await close()
  else onTestFinished(close)
  return { host, port, url: `http://${host}:${port}` }
}
const nobody = async () => {
  const { host, port } = await api({ gone: true })
  return { host, port }
}

test('by its card, where it listens somewhere else than this shell\'s settings say', async () => {
  await using state = await folder()
  const { url } = await api()
  const desk = { state: state.path, http: await nobody() }
  expect(await serviceUrl(desk)).toBeUndefined()
  {
    await using card = await serviceCard(state.path, log)
    await expect(serviceUrl(desk)).rejects.toThrow('the service is just starting, or ending: nothing has changed')
    await card.show(url)
    expect(await serviceUrl(desk)).toBe(url)
    await card.hide()
    await expect(serviceUrl(desk)).rejects.toThrow('just starting, or ending')
  }
  expect(await serviceUrl(desk)).toBeUndefined()
  await expect(readFile(join(state.path, 'service.lock.json'))).rejects.toThrow('ENOENT')
})

test('where it runs and cannot be reached, the command refuses', async () => {
  await using state = await folder()
  const { host, port } = await nobody()
  await using card = await serviceCard(state.path, log)
  await card.show(`http://${host}:${port}`)
  await expect(serviceUrl({ state: state.path, http: await api() })).rejects.toThrow(new RegExp(`^a service runs since 20.*, and nobody answers at http://${host}:${port} from here: nothing has changed`))
})

test('the card of one that was killed is an old one: the kernel has taken its lock back', async () => {
  await using state = await folder()
  const { url } = await api()
  const program = `const { serviceCard } = await import(${JSON.stringify(join(process.cwd(), 'src/service-card.ts'))})
    const card = await serviceCard(${JSON.stringify(state.path)}, console)
    await card.show(${JSON.stringify(url)})
    console.log('up')
    setInterval(() => {}, 1000)`
  const service = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(service, 'exit')
  await once(service.stdout, 'data')
  const desk = { state: state.path, http: await nobody() }
  expect(await serviceUrl(desk)).toBe(url)
  service.kill('SIGKILL')
  await ended
  expect(await runningService(state.path)).toBeUndefined()
  expect(await readFile(join(state.path, 'service.lock.json'), 'utf8')).toContain(url)
  expect(await serviceUrl(desk)).toBeUndefined()
  await using next = await serviceCard(state.path, log)
  await expect(serviceUrl(desk)).rejects.toThrow('just starting')
  await next.show(url)
  expect(await serviceUrl(desk)).toBe(url)
})

test('a second service, or a disk that takes nothing, is told of, and holds up no service', { timeout: 15_000 }, async () => {
  await using state = await folder()
  const { url } = await api()
  await using first = await serviceCard(state.path, log)
  await first.show(url)
  await using second = await serviceCard(state.path, log)
  await second.show('http://127.77.110.7:1')
  expect(await runningService(state.path)).toMatchObject({ who: 'the service', url })
  await using nowhere = await serviceCard(join(state.path, 'not', 'there'), log)
  await nowhere.show(url)
})

test('one without a card, as it was before, is found by the settings', async () => {
  await using state = await folder()
  const old = await api()
  expect(await serviceUrl({ state: state.path, http: old })).toBe(old.url)
  expect(await serviceUrl({ state: state.path, http: await api({ code: 404 }) })).toBeUndefined()
})
