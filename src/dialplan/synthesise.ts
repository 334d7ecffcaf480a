/** Texts and recordings become what Asterisk plays: headerless A-law and µ-law, 8 kHz, one byte a sample. */
import { randomBytes } from 'node:crypto'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { milliseconds } from '../plan/duration.ts'
import { listed } from '../plan/faults.ts'
import { promptsIn, type Prompt } from './prompts.ts'
import { run as runHere, ToolFailed, type Run } from './run.ts'

/**
 * espeak-ng's voice and its speed in words a minute, by language; other languages are spoken by the voice of their
 * own name at 155. Indonesian speaks at espeak-ng's usual 175, so that greeting and menu together stay within 10 s.
 */
export const voices: Record<string, Voice> = {
  id: { voice: 'id', speed: 175 },
  en: { voice: 'en', speed: 160 }
}

export interface Voice { voice: string, speed: number }

/** The silence that each prompt begins with. */
export const lead = milliseconds(300)
/**
 * As loud as a telephone likes it; the silence before and after cut off, but for a breath. Before: the network lets the first sound through
 * only some tenths of a second after the answer, and the first syllable must not be lost.
 */
const effects = [
  'norm', '-3', 'silence', '1', '0.01', '0.3%', 'reverse', 'silence', '1', '0.01', '0.3%', 'reverse', 'pad', String(lead / 1000), '0.15'
]
const formats = { alaw: 'al', ulaw: 'ul' }
const extensions = Object.keys(formats) as (keyof typeof formats)[]

export interface Progress {
  language: string
  name: string
  /** `kept`: nothing had changed; `removed`: its text is gone. */
  outcome: 'made' | 'kept' | 'removed'
}

export interface Synthesis {
  /** The folder of the texts, and the folder of the sounds; the latter is ours alone. */
  folder: string
  out: string
  run?: Run
  progress?: (progress: Progress) => void
  voices?: Record<string, Voice>
}

/** Some prompts could not be made; `failures` has one sentence each. Those that could are there. */
export class SynthesisFailed extends Error {
  override name = 'SynthesisFailed'
  readonly failures: string[]

  constructor(failures: string[]) {
    super(failures.join('\n'))
    this.failures = failures
  }
}

/** Makes out/<language>/<name>.alaw and .ulaw of folder/<language>/<name>.txt, where anything has changed. Throws `SynthesisFailed`. */
export async function synthesise({ languages, folder, out, ...options }: Synthesis & { languages: readonly string[] }) {
  const failures: string[] = []
  for (const language of languages) {
    try {
      await speak({ ...options, folder: join(folder, language), out: join(out, language), language })
    } catch (error) {
      if (!(error instanceof SynthesisFailed)) throw error
      failures.push(...error.failures)
    }
  }
  if (failures.length > 0) throw new SynthesisFailed(failures)
}

/** The same for one folder of texts in one language, e.g. the sentences of the demo's telephones. */
export async function speak({ folder, out, language, run = runHere, progress = () => {}, voices: spoken = voices }: Synthesis & { language: string }) {
  const voice = spoken[language] ?? { voice: language, speed: 155 }
  const { prompts } = await promptsIn(folder)
  await mkdir(out, { recursive: true })
  const before = await manifest(out)
  const files = await readdir(out)

  const fingerprints = new Map<string, string>()
  for (const prompt of prompts.values()) fingerprints.set(prompt.name, await fingerprint(prompt, voice))
  const kept = [...prompts.keys()].filter(name => before[name] === fingerprints.get(name) && extensions.every(ext => files.includes(`${name}.${ext}`)))
  const made = new Set(kept)
  const remember = () => writeWhole(join(out, 'manifest.json'), JSON.stringify(Object.fromEntries([...made].sort().map(name => [name, fingerprints.get(name)])), null, 2))

  await remember()  // so that a sound half made, after a crash, is made again
  for (const file of files) {
    const [, name = '', extension = ''] = /^([^.]*)\.(.*)$/.exec(file) ?? []
    if (!/^(alaw|ulaw)(\.\d+\.new)?$/.test(extension) || (prompts.has(name) && !extension.endsWith('.new'))) continue
    await rm(join(out, file), { force: true })
    if (extension === 'alaw') progress({ language, name, outcome: 'removed' })
  }
  for (const name of kept) progress({ language, name, outcome: 'kept' })

  const failures: string[] = []
  const unspoken: string[] = []
  const toMake = [...prompts.values()].filter(prompt => !made.has(prompt.name))
  const worker = async () => {
    for (let prompt = toMake.shift(); prompt; prompt = toMake.shift()) {
      try {
        await make(prompt, voice, out, run)
        made.add(prompt.name)
        progress({ language, name: prompt.name, outcome: 'made' })
      } catch (error) {
        if (error instanceof ToolFailed && /voice does not exist/.test(error.message)) unspoken.push(prompt.name)
        else failures.push(explain(prompt, error))
      }
    }
  }
  await Promise.all([worker(), worker()])
  await remember()
  if (unspoken.length > 0) {
    failures.push(`${folder}: espeak-ng has no voice for "${language}", and ${unspoken.length} of its prompts no recording — record each as <name>.wav beside its text: ${listed(unspoken.sort())}`)
  }
  if (failures.length > 0) throw new SynthesisFailed(failures.sort())
}

async function make(prompt: Prompt, { voice, speed }: Voice, out: string, run: Run) {
  const wave = prompt.recording
    ? await readFile(prompt.recording)
    : await run('espeak-ng', ['-v', voice, '-s', String(speed), '-z', '-b', '1', '--stdin', '--stdout'], { input: `${prompt.text}\n` })
  for (const extension of extensions) {
    // -D: dither would turn silence into a hiss; --ignore-length: espeak-ng cannot know the length when it begins
    const length = prompt.recording ? [] : ['--ignore-length']
    const sound = await run('sox', ['-V1', '-D', ...length, '-t', 'wav', '-', '-t', formats[extension], '-r', '8000', '-c', '1', '-', ...effects], { input: wave })
    if (sound.length < 2400) throw new ToolFailed('sox', `made only ${sound.length} bytes of sound`)
    await writeWhole(join(out, `${prompt.name}.${extension}`), sound)
  }
}

function explain({ file, recording }: Prompt, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const todo = /is not installed|ENOENT/.test(message) ? 'install it: apt-get install espeak-ng sox'
    : recording ? `is ${recording} a WAV file with sound in it?`
    : 'is the text one that can be spoken?'
  return `${recording ?? file}: ${message} — ${todo}`
}

async function fingerprint(prompt: Prompt, voice: Voice): Promise<string> {
  const source = prompt.recording ? await readFile(prompt.recording) : JSON.stringify([prompt.text, voice])
  return createHash('sha256').update(JSON.stringify([effects, formats])).update(source).digest('hex')
}

async function manifest(out: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')) ?? {}
  } catch {
    return {}  // none yet, or a broken one: everything is made anew
  }
}

/** Readers see the old file or the new one, never half of it. */
export async function writeWhole(path: string, data: Buffer | string) {
  const fresh = `${path}.${randomBytes(4).toString('hex')}.new`
  await writeFile(fresh, data)
  await rename(fresh, path)
}
