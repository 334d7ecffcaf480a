/**
 * Makes ready what Asterisk needs: the plan checked and rendered, the prompts spoken, the passwords made.
 * `npm start` and docker-compose's `setup` run it before Asterisk starts; it sets up nothing twice.
 */
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inRoot } from '../setup/root.mjs'
import { layOut, type LayOut, type Site } from './dialplan/lay-out.ts'
import { prepare } from './dialplan/prepare.ts'
import { run as runHere, type Run } from './dialplan/run.ts'
import { speak, writeWhole, type Progress } from './dialplan/synthesise.ts'
import { formatFault } from './plan/faults.ts'
import type { Plan } from './plan/plan.ts'
import { places, readSettings, type Settings } from './settings.ts'
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
}

export const toolsInRoot: Run = (command, args, options) => {
  const [program, programArgs] = inRoot({ command: [command, ...args] })
  return runHere(program, programArgs, options)
}

/** Throws what is wrong with the plan, the templates or the prompts; then nothing that Asterisk reads has changed. */
export async function makeReady({ settings, owner, run = runHere, progress = () => {}, warn = () => {}, sounds = places(settings.state).sounds }: MakeReady): Promise<Plan> {
  const { project, state } = settings
  const { etc, secrets } = places(state)
  await mkdir(sounds, { recursive: true, mode: 0o755 })
  const { address, port, ariPort, amiPort, rtp } = settings.asterisk
  const site: Site = { address, port, ariPort, amiPort, rtp, sounds: '/usr/share/asterisk/sounds' }
  const { plan, files, warnings } = await prepare({
    planFile: settings.plan, templates: join(project, 'dialplan', 'templates'), prompts: join(project, 'dialplan', 'prompts'),
    sounds, site: { ...site }, run, progress
  })
  for (const warning of warnings) warn(formatFault(warning))
  await ringTone(sounds, run)
  await speak({ folder: join(project, 'demo', 'sentences'), out: join(sounds, 'telephones'), language: 'id', run, progress })
  await layOut({
    config: join(project, 'asterisk-config'), rendered: files, site, secrets: await secretsIn(secrets), to: etc, ...owner ? { owner } : {}
  })
  return plan
}

/** What a caller hears while a line rings: Indonesia's ring tone, 425 Hz, 1 s on and 4 s off, four times. */
async function ringTone(sounds: string, run: Run) {
  for (const [extension, type] of [['alaw', 'al'], ['ulaw', 'ul']] as const) {
    const file = join(sounds, `ring-tone.${extension}`)
    if (existsSync(file)) continue
    const tone = await run('sox', ['-D', '-n', '-r', '8000', '-c', '1', '-t', type, '-', 'synth', '1', 'sine', '425', 'vol', '0.15', 'pad', '0', '4', 'repeat', '3'], { input: '' })
    await writeWhole(file, tone)
  }
}

if (import.meta.main) {
  const project = dirname(dirname(fileURLToPath(import.meta.url)))
  const { SATUNOMOR_TOOLS: tools, SATUNOMOR_ASTERISK_USER: user } = process.env
  const [uid, gid] = user?.split(':').map(Number) ?? []
  try {
    const made: string[] = []
    const plan = await makeReady({
      settings: readSettings(process.env, project),
      ...tools === 'root' ? { run: toolsInRoot } : {},
      ...uid !== undefined && gid !== undefined ? { owner: { uid, gid } } : {},
      progress: ({ language, name, outcome }) => { if (outcome === 'made') made.push(`${language}/${name}`) },
      warn: sentence => process.stderr.write(`${sentence}\n`)
    })
    process.stdout.write(`plan ${plan.version}, ${plan.numbers.size} number(s), ${made.length} prompts made\n`)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(1)
  }
}
