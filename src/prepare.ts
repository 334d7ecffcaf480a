/**
 * Makes ready what Asterisk needs: the plan checked and rendered, the prompts spoken, the passwords made.
 * `npm start` and docker-compose's `setup` run it before Asterisk starts; it sets up nothing twice.
 */
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino, type Logger } from 'pino'
import { realTrunk, writeWanted } from '../demo/wanted.mjs'
import { inRoot } from '../setup/root.mjs'
import { sipMessageModules } from './asterisk/sip-messages.ts'
import { upgradeInALine } from './city/upgrade.ts'
import { Changes, planOf, type ChangesOptions } from './dialplan/changes.ts'
import { configOf, hasConfig } from './dialplan/place-config.ts'
import { differing, layOut, type LayOut, type Site } from './dialplan/lay-out.ts'
import { run as runHere, type Run } from './dialplan/run.ts'
import { smoke } from './dialplan/smoke.ts'
import { staticFaults } from './dialplan/static-config.ts'
import { speak, writeWhole, type Progress } from './dialplan/synthesise.ts'
import { Versions, type Version } from './dialplan/versions.ts'
import { checkExpectedCalls } from './plan/expected.ts'
import { formatFault } from './plan/faults.ts'
import { openToNetwork, places, readSettings, type Settings } from './settings.ts'
import { secretsIn } from './secrets.ts'

export interface MakeReady {
  settings: Settings
  /** Asterisk's user, where files are to be given to it. */
  owner?: LayOut['owner']
  /** Where the prompts go, if not into the state folder. */
  sounds?: string
  /** Where espeak-ng and sox are: here, or in our root. */
  run?: Run
  progress?: (progress: Progress) => void
  warn?: (sentence: string) => void
  /** Asterisk runs, and goes on running: what it reads only at its own start stays as it is, and no edit is applied. */
  beside?: boolean
}

export const toolsInRoot: Run = (command, args, options) => {
  const [program, programArgs] = inRoot({ command: [command, ...args] })
  return runHere(program, programArgs, options)
}

export const siteOf = ({ asterisk: { address, port, control, ariPort, amiPort, rtp } }: Settings): Site =>
  ({ address, port, control, ariPort, amiPort, rtp, sounds: '/usr/share/asterisk/sounds' })

/** How the plan of this machine changes; `more` is what only the running service has. */
export function changesOf(settings: Settings, log: Logger, { sounds = settings.sounds, run, progress, ...more }:
  Pick<MakeReady, 'sounds' | 'run' | 'progress'> & Partial<Pick<ChangesOptions, 'exchange' | 'follow' | 'walks' | 'applied'>> = {}): Changes {
  const { state, plan, templates, prompts, config, tools } = settings
  return new Changes({
    versions: new Versions(places(state).versions),
    desk: { plan: resolve(plan), templates, prompts, config },
    workshop: { site: { ...siteOf(settings) }, run: run ?? (tools === 'root' ? toolsInRoot : runHere), ...progress ? { progress } : {}, spoken: sounds, expected: checkExpectedCalls, allow: join(config, 'lint-allow.yaml') },
    live: { etc: join(places(state).etc, 'plan'), config: places(state).etc, sounds }, log,
    smoke: (candidate, tell) => smoke(candidate, { config: existsSync(configOf(candidate)) ? configOf(candidate) : config, tools, tell }), ...more
  })
}

/** Throws what is wrong with the plan, the templates or the prompts where there is no version yet to go on with. */
export async function makeReady({ settings, owner, run, progress = () => {}, warn = () => {}, sounds = settings.sounds, beside = false }: MakeReady): Promise<Version> {
  const { project, state, config } = settings
  const { etc, secrets } = places(state)
  await mkdir(sounds, { recursive: true, mode: 0o755 })
  const changes = changesOf(settings, pino({ level: 'silent' }), { sounds, progress, ...run ? { run } : {} })
  const files = { site: siteOf(settings), secrets: await secretsIn(secrets), ...settings.messages.by === 'sip' ? { modules: sipMessageModules, include: ['messages.conf'] } : {}, to: etc, ...owner ? { owner } : {} }
  // What is live is laid out, not an edit that waits; a version from before December 2026 has none of its own.
  const configFor = (version: Version) => hasConfig(version) ? configOf(version) : config
  const current = beside ? await changes.versions.current() : undefined
  const old = current ? await differing({ ...files, config: configFor(current) }) : []
  if (current && old.length > 0) {
    // What is rendered now may need them: it waits until Asterisk has them.
    warn(`Asterisk's own settings have changed (${old.join(', ')}): it goes on with the old ones, and with its dialplan as it is. Before you apply anything: npx satunomor restart --asterisk`)
    return current
  }
  const version = await changes.start({ who: 'the set-up', applyEdits: settings.applyAtStart && !beside, warn })
  const upgrade = await upgradeInALine(project, settings.city)
  if (upgrade !== undefined) warn(upgrade)
  for (const sentence of openToNetwork(settings)) warn(sentence)
  const laidOut = configFor(version)
  if (laidOut === config) for (const fault of await staticFaults(config)) warn(formatFault(fault))
  await layOut({ ...files, config: laidOut })
  const tools = run ?? (settings.tools === 'root' ? toolsInRoot : runHere)
  await planOf(version).then(({ trunks }) => writeWanted(sounds, realTrunk(trunks))).catch(error => warn(`whether the demo's telephones should run could not be written down (${(error as Error).message})`))
  // No call needs these: where they cannot be made, e.g. on a full disk, Asterisk is started all the same.
  await makeTones(sounds, tools).catch(error => warn(`the tones could not be made (${(error as Error).message}): callers hear none`))
  await speak({ folder: join(project, 'demo', 'sentences'), out: join(sounds, 'telephones'), language: 'id', run: tools, progress })
    .catch(error => warn(`what the demo's telephones say could not be spoken (${(error as Error).message})`))
  return version
}

const tones = {
  /** Indonesia's ring tone: 425 Hz, 1 s on and 4 s off, four times. */
  'ring-tone': ['synth', '1', 'sine', '425', 'vol', '0.15', 'pad', '0', '4', 'repeat', '3'],
  /** What a caller hears while a line is tried, or while they wait for one: a short soft tone every 2.5 s, for 20 s. It is like no tone of the network. */
  'connecting-tone': ['synth', '0.25', 'sine', '330', 'fade', '0.05', '0.25', '0.15', 'vol', '0.12', 'pad', '0', '2.25', 'repeat', '7'],
  /** On hold, between two sentences: two short tones that no network has, four times in 20 s. */
  'hold-tone': ['synth', '0.15', 'sine', '350', 'vol', '0.08', 'pad', '0', '0.1', 'repeat', '1', 'pad', '0', '4.5', 'repeat', '3']
}

/** Makes the tones that are not there yet. */
async function makeTones(sounds: string, run: Run) {
  for (const [name, effects] of Object.entries(tones)) {
    for (const [extension, type] of [['alaw', 'al'], ['ulaw', 'ul']] as const) {
      const file = join(sounds, `${name}.${extension}`)
      if (existsSync(file)) continue
      await writeWhole(file, await run('sox', ['-D', '-n', '-r', '8000', '-c', '1', '-t', type, '-', ...effects], { input: '' }))
    }
  }
}

if (import.meta.main) {
  const project = dirname(dirname(fileURLToPath(import.meta.url)))
  const [uid, gid] = process.env['SATUNOMOR_ASTERISK_USER']?.split(':').map(Number) ?? []
  try {
    const settings = readSettings(process.env, project)
    if (process.argv.includes('--settings')) process.exit(0)
    const made: string[] = []
    const { version, plan } = await makeReady({
      settings,
      ...uid !== undefined && gid !== undefined ? { owner: { uid, gid } } : {},
      progress: ({ language, name, outcome }) => { if (outcome === 'made') made.push(`${language}/${name}`) },
      beside: process.argv.includes('--beside'),
      warn: sentence => process.stderr.write(`${sentence}\n`)
    })
    process.stdout.write(`version ${version}, plan ${plan}, ${made.length} prompts made\n`)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(1)
  }
}
