/** Lays out Asterisk's /etc/asterisk: the static files as they lie, and in satunomor/ what this machine adds. What the plan renders is in plan/ (place.ts). */
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copiesPassword } from '../asterisk/sip-copies.ts'

/** Where Asterisk listens. Ports are UDP for SIP and RTP, TCP for ARI and AMI. By UDP, AMI's port is the service's, for copies of SIP messages. */
export interface Site {
  address: string
  port: number
  /** The address of ARI and AMI, in 127.0.0.0/8: nobody else may log in. */
  control: string
  ariPort: number
  amiPort: number
  rtp: [first: number, last: number]
  /** Where Asterisk finds the prompts: `<sounds>/<language>/<name>.alaw`. */
  sounds: string
}

export interface Secrets {
  ari: string
  ami: string
  watchdog: string
  /** Of the Redis that `npm start` runs. */
  redis: string
}

export interface LayOut {
  /** The project's asterisk-config/. */
  config: string
  site: Site
  secrets: Secrets
  /** Modules of Asterisk's that this machine needs beside those of modules.conf. */
  modules?: readonly string[]
  /** Files of `config` that only this machine's dialplan includes. */
  include?: readonly string[]
  /** The folder to lay out. Files that are not ours in it are removed. */
  to: string
  /** Asterisk's user, where we may give files away (we are root): nobody else can read them then. */
  owner?: { uid: number, gid: number }
}

/** Writes each file whole (beside, then renamed), so that Asterisk never reads half of one. */
export async function layOut({ to, owner, ...from }: LayOut) {
  const files = await texts(from)
  for (const folder of [to, join(to, 'satunomor')]) {
    await mkdir(folder, { recursive: true })
    await own(folder, 0o750, owner)
  }
  for (const [name, text] of files) await write(join(to, name), text, owner)
  for (const folder of ['', 'satunomor']) {
    for (const entry of await readdir(join(to, folder), { withFileTypes: true })) {
      if (!entry.isDirectory() && !files.has(join(folder, entry.name))) await rm(join(to, folder, entry.name))
    }
  }
}

/** The files that are not laid out as they would be now; empty: Asterisk, if it started since, has all of them. */
export async function differing({ to, ...from }: LayOut): Promise<string[]> {
  const files = await texts(from)
  const there = (await Promise.all(['', 'satunomor'].map(async folder =>
    (await readdir(join(to, folder), { withFileTypes: true }).catch(() => [])).filter(entry => !entry.isDirectory()).map(entry => join(folder, entry.name))))).flat()
  const differs = await Promise.all([...new Set([...files.keys(), ...there])].map(async name =>
    files.get(name) === await readFile(join(to, name), 'utf8').catch(() => undefined) ? [] : [name]))
  return differs.flat().sort()
}

async function texts({ config, site, secrets, modules = [], include = [] }: Omit<LayOut, 'to' | 'owner'>): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const name of await readdir(config)) if (name.endsWith('.conf')) files.set(name, await readFile(join(config, name), 'utf8'))
  for (const [name, text] of Object.entries(local(site, secrets, modules, include))) files.set(join('satunomor', name), text)
  return files
}

/** The security events that tell of a refusal (src/asterisk/refusals.ts counts them). */
export const refusalEvents = ['ChallengeSent', 'ChallengeResponseFailed', 'InvalidPassword', 'FailedACL', 'RequestBadFormat', 'RequestNotAllowed', 'RequestNotSupported', 'UnexpectedAddress']

/** What differs from machine to machine, under the static files' own names. */
const local = (site: Site, secrets: Secrets, modules: readonly string[], include: readonly string[]) => ({
  'modules.conf': modules.map(module => `load = ${module}\n`).join(''),
  'extensions.conf': include.map(file => `#include "${file}"\n`).join(''),
  'transport.conf': `[transport-udp]\ntype = transport\nprotocol = udp\nbind = ${site.address}:${site.port}\n`,
  'http.conf': `bindaddr = ${site.control}\nbindport = ${site.ariPort}\n`,
  'rtp.conf': `rtpstart = ${site.rtp[0]}\nrtpend = ${site.rtp[1]}\n`,
  'ari.conf': `[satunomor]\ntype = user\nread_only = no\npassword_format = plain\npassword = ${secrets.ari}\n`,
  'hep.conf': `enabled = yes\ncapture_address = ${site.control}:${site.amiPort}\ncapture_password = ${copiesPassword(secrets)}\n`,
  'manager.conf': [
    `bindaddr = ${site.control}`, `port = ${site.amiPort}`, '',
    '; The service: health, contacts, reload, and who was refused. No originate, no command, no config.',
    '[satunomor]', `secret = ${secrets.ami}`,
    'deny = 0.0.0.0/0.0.0.0', 'permit = 127.0.0.0/255.0.0.0',
    'read = system,security', 'write = system', 'writetimeout = 5000',
    ...['ContactStatus', 'FullyBooted', ...refusalEvents].map(name => `eventfilter(action(include),name(${name})) =`),
    // SIP's comes with each challenge besides.
    'eventfilter(action(include),name(InvalidAccountID),header(Service),method(exact)) = AMI', '',
    '; The watchdog: sees the beat and the channels, and redirects. Nothing else.',
    '[watchdog]', `secret = ${secrets.watchdog}`,
    'deny = 0.0.0.0/0.0.0.0', 'permit = 127.0.0.0/255.0.0.0',
    'read =', 'write = call,reporting', 'writetimeout = 5000', ''
  ].join('\n')
})

async function write(file: string, text: string, owner: LayOut['owner']) {
  if (await readFile(file, 'utf8').catch(() => undefined) === text) return own(file, 0o640, owner)
  await writeFile(`${file}.new`, text, { mode: 0o640 })
  await own(`${file}.new`, 0o640, owner)
  await rename(`${file}.new`, file)
}

async function own(path: string, mode: number, owner: LayOut['owner']) {
  await chmod(path, mode)
  if (owner) await chown(path, 0, owner.gid)
}
