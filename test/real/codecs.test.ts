/** G.722 works on the carrier's trunk and on the agencies', in the plan's order of preference; and a codec that Asterisk cannot translate does not become live. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { fromAlaw } from '../../demo/g711.ts'
import type { Codec } from '../../demo/rtp.ts'
import type { IncomingCall, OutgoingCall } from '../../demo/softphone.ts'
import { project } from '../../setup/project.mjs'
import { planOf } from '../../src/dialplan/changes.ts'
import { SmokeFailed, smoke } from '../../src/dialplan/smoke.ts'
import { eventually, openCity, type City } from '../parts/city.ts'
import { sounds } from '../parts/sounds.ts'
import { hearsBytes, voice } from './stage.ts'

let city: City
beforeAll(async () => {
  city = await openCity({ number: 134, plan: text => 'spoken: 0 s\n' + text.replace(/role: (carrier|agencies), /g, 'role: $1, codecs: [g722, alaw], ') })
})
afterEach(() => city.quiet())
afterAll(() => city?.[Symbol.asyncDispose]())

async function talking(from: string, codecs: Codec[], line: Codec[]) {
  city.gateway.codecs = line
  const call = city.dial({ from, codecs })
  await call.answered
  return { call, talk: async () => {
    await call.press('3')
    const leg = await city.rung('hallo-1', from)
    await leg.answered
    return leg
  } }
}
/** The formats of the sound in an SDP, in their order. */
const formats = (sdp: string) => /^m=audio \d+ RTP\/AVP (.*?)\r?$/m.exec(sdp)![1]!.split(' ').filter(format => ['0', '8', '9'].includes(format))
const codecOf = (call: OutgoingCall | IncomingCall) => call.heard.at(-1)?.codec ?? 'alaw'

/** How loud each 20 ms of A-law are. */
const envelope = (alaw: Buffer) => Array.from({ length: Math.floor(alaw.length / 160) }, (_, i) => Math.log10(1 + Math.hypot(...Array.from(alaw.subarray(i * 160, (i + 1) * 160), fromAlaw))))
/** How alike two sounds rise and fall (1: the same), the second one anywhere in the first. */
function alike(long: Buffer, short: Buffer): number {
  const [a, b] = [envelope(long), envelope(short)]
  const correlation = (x: number[], y: number[]) => {
    const [mx, my] = [x, y].map(z => z.reduce((sum, one) => sum + one, 0) / z.length) as [number, number]
    const of = (p: number[], q: number[], mp: number, mq: number) => p.reduce((sum, one, i) => sum + (one - mp) * (q[i]! - mq), 0)
    return of(x, y, mx, my) / Math.sqrt(of(x, x, mx, mx) * of(y, y, my, my) || 1)
  }
  return Math.max(0, ...Array.from({ length: Math.max(0, a.length - b.length) }, (_, at) => correlation(a.slice(at, at + b.length), b)))
}

test('a caller with G.722 alone hears the prompts, presses a key, and is heard by a line with A-law', async () => {
  const { call, talk } = await talking('+627215550101', ['g722'], ['alaw'])
  const greeting = await readFile(join(sounds, 'id', 'sambutan.alaw'))
  await eventually('the greeting is over', async () => call.heard.length > greeting.length / 160)
  const recorded = Buffer.concat(call.heard.slice(0, Math.floor(greeting.length / 160)).map(({ alaw }) => alaw))
  expect(codecOf(call)).toBe('g722')
  const leg = await talk()
  // What they have heard they say: so it is both ways that it was translated.
  const from = leg.heard.length
  await call.say(recorded)
  await eventually('it is heard', async () => leg.heard.length > from + recorded.length / 160 + 25)
  expect(codecOf(leg)).toBe('alaw')
  expect(alike(Buffer.concat(leg.heard.slice(from).map(({ alaw }) => alaw)), greeting.subarray(4_000, 18_000))).toBeGreaterThan(0.85)
  await call.hangUp()
  expect(await city.record('+627215550101')).toMatchObject({ disposition: 'answered', line: 'hallo-1' })
})

test('a line that answers in G.722 hears a caller with A-law, and is heard', async () => {
  const { call, talk } = await talking('+627215550102', ['alaw'], ['g722'])
  const leg = await talk()
  expect(formats(leg.request.body)).toEqual(['9', '8'])
  const said = await readFile(join(sounds, 'id', 'menu-utama.alaw'))
  const [before, after] = [leg.heard.length, call.heard.length]
  await call.say(said.subarray(0, 24_000))
  await eventually('it is heard', async () => leg.heard.length > before + 175)
  expect(codecOf(leg)).toBe('g722')
  await leg.say(Buffer.concat(leg.heard.slice(before).map(({ alaw }) => alaw)))
  await eventually('it comes back', async () => call.heard.length > after + 350)
  expect(alike(Buffer.concat(call.heard.slice(after).map(({ alaw }) => alaw)), said.subarray(4_000, 20_000))).toBeGreaterThan(0.85)
  await call.hangUp()
})

test.each([[['g722']], [['alaw', 'g722']], [['g722', 'alaw']]] as [Codec[]][])('a caller who offers %j and a line with both talk in G.722, unchanged', async codecs => {
  const { call, talk } = await talking('+627215550103', codecs, ['g722', 'alaw'])
  const leg = await talk()
  await Promise.all([hearsBytes(call, voice('agency')), hearsBytes(leg, voice('caller')), call.say(voice('caller')), leg.say(voice('agency'))])
  expect([codecOf(call), codecOf(leg)]).toEqual(['g722', 'g722'])
  await call.hangUp()
})

test('the smoke call rings each trunk\'s codecs, and refuses one that Asterisk cannot translate', async () => {
  const version = (await city.service.changes.versions.current())!
  const candidate = { ...version, plan: await planOf(version), files: new Map<string, string>(), warnings: [] }
  await smoke(candidate, { config: join(project, 'asterisk-config'), tools: 'root', tell: () => {} })
  const config = await mkdtemp(join(tmpdir(), 'satunomor-config-'))
  try {
    await cp(join(project, 'asterisk-config'), config, { recursive: true })
    const modules = join(config, 'modules.conf')
    await writeFile(modules, (await readFile(modules, 'utf8')).replace(/^load = codec_g722.*$/m, ''))
    const failure = await smoke(candidate, { config, tools: 'root', tell: () => {} }).catch(error => error)
    expect(failure).toBeInstanceOf(SmokeFailed)
    expect(failure.message).toContain('a call in g722 on the trunk "carrier" has no sound')
    expect(failure.message).toContain('a call in g722 on the trunk "gateway" has no sound')
    expect(failure.message).not.toContain('a call in alaw')
  } finally {
    await rm(config, { recursive: true })
  }
})

test.each([
  ['no trunk has a way out', 'pjsip.conf.liquid', 'aors = {{ trunk.name }}\n', 'aors = {{ trunk.name }}-aor\n', ['posko-1', 'ambulans-1', 'bpbd-1'], []],
  ['one line is left out', 'extensions.conf.liquid', 'same => n,Gosub(ring,s,1({{ agency.id }},', 'same => n,{% if line.id == "bpbd-1" %}NoOp(nobody){% else %}Gosub{% endif %}(ring,s,1({{ agency.id }},', ['bpbd-1'], ['posko-1', 'bpbd-2']]
])('a template with which %s is refused: the smoke call rings every line by each of its trunks', async (_, name, from, to, silent, rung) => {
  const version = (await city.service.changes.versions.current())!
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-template-'))
  try {
    await cp(version.folder, folder, { recursive: true })
    const template = join(folder, 'dialplan', 'templates', name)
    const text = await readFile(template, 'utf8')
    expect(text).toContain(from)
    await writeFile(template, text.replace(from, to))
    const failure = await smoke({ ...version, folder, plan: await planOf(version), files: new Map<string, string>(), warnings: [] }, { config: join(project, 'asterisk-config'), tools: 'root', tell: () => {} }).catch(error => error)
    expect(failure).toBeInstanceOf(SmokeFailed)
    for (const line of silent) expect(failure.message).toMatch(new RegExp(`the line "${line}" of "[a-z-]+" does not ring by the trunk "[a-z0-9-]+" on an Asterisk of its own: look at`))
    for (const line of rung) expect(failure.message).not.toContain(`"${line}"`)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test.each([
  ['pjsip.conf', 'foo = bar\n', /Could not (find option suitable|create an object)/],
  ['last-resort.conf', '[broken\n', /parse error: no closing ']'/]
])('what Asterisk does not understand in asterisk-config/%s refuses an apply', async (name, added, says) => {
  const version = (await city.service.changes.versions.current())!
  const config = await mkdtemp(join(tmpdir(), 'satunomor-config-'))
  try {
    await cp(join(project, 'asterisk-config'), config, { recursive: true })
    await writeFile(join(config, name), `${await readFile(join(config, name), 'utf8')}${added}`)
    const failure = await smoke({ ...version, plan: await planOf(version), files: new Map<string, string>(), warnings: [] }, { config, tools: 'root', tell: () => {} }).catch(error => error)
    expect(failure).toBeInstanceOf(SmokeFailed)
    expect(failure.message).toMatch(says)
  } finally {
    await rm(config, { recursive: true })
  }
})
