/**
 * The prompts as the PBX admin keeps them: prompts/<language>/<name>.txt is what is said.
 *
 * A recording <name>.wav beside the text replaces the synthesis. So that nobody hears a recording of last year's text,
 * <name>.spoken beside it is a copy of the text as it was recorded (`cp sambutan.txt sambutan.spoken`); a recording
 * without one, or with a text that has changed since, is still played, and warned of.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from '../plan/faults.ts'
import { recordingFault } from './recording.ts'

export interface Prompt {
  name: string
  /** The path of its text, for faults. */
  file: string
  text: string
  /** The path of the recording that replaces the synthesis. */
  recording?: string
}

/** By language, then by name; `readPlan` takes it as its `prompts`. */
export type Catalogue = ReadonlyMap<string, ReadonlyMap<string, Prompt>>

/** Lists the folder's prompts in these languages, or in all that it has. A fault that is an error is of a prompt that nobody could understand. */
export async function catalogue(folder: string, languages?: Iterable<string>): Promise<{ prompts: Catalogue, faults: Fault[] }> {
  const folders = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isDirectory()).map(entry => entry.name)
  const wanted = languages ? folders.filter(language => [...languages].includes(language)) : folders
  const prompts = new Map<string, ReadonlyMap<string, Prompt>>()
  const faults: Fault[] = []
  for (const language of wanted.sort()) {
    const here = await promptsIn(join(folder, language))
    prompts.set(language, here.prompts)
    faults.push(...here.faults)
  }
  return { prompts, faults }
}

/** The prompts of one folder of texts. */
export async function promptsIn(folder: string): Promise<{ prompts: Map<string, Prompt>, faults: Fault[] }> {
  const files = (await readdir(folder)).sort()
  const prompts = new Map<string, Prompt>()
  const faults: Fault[] = []
  const tell = (file: string, severity: Fault['severity'], sentence: string, suggestion: string) => {
    faults.push({ severity, file: join(folder, file), line: 1, column: 1, path: '', sentence, suggestion })
  }
  const warn = (file: string, sentence: string, suggestion: string) => tell(file, 'warning', sentence, suggestion)
  for (const file of files.filter(file => file.endsWith('.txt'))) {
    const name = file.slice(0, -'.txt'.length)
    const bytes = await readFile(join(folder, file))
    const encoding = otherEncoding(bytes)
    if (encoding !== undefined) tell(file, 'error', `is not UTF-8${encoding}`, `save it as UTF-8 (in Windows' Notepad: "Save as", encoding "UTF-8")`)
    const text = oneLine(bytes.toString('utf8').replace(/^\uFEFF/, ''))
    if (!/^[a-z0-9-]{1,40}$/.test(name)) warn(file, 'has a name that no plan can hold', 'use small letters, digits and hyphens, at most 40')
    else if (text === '') warn(file, 'is empty, and counts as missing', 'write what is to be said')
    else {
      const recording = files.includes(`${name}.wav`) ? join(folder, `${name}.wav`) : undefined
      prompts.set(name, { name, file: join(folder, file), text, recording })
      if (!recording) continue
      const fault = recordingFault(await readFile(recording))
      if (fault) tell(`${name}.wav`, fault.severity, fault.sentence, fault.suggestion)
      const spoken = files.includes(`${name}.spoken`) ? oneLine(await readFile(join(folder, `${name}.spoken`), 'utf8')) : undefined
      if (spoken === undefined) warn(`${name}.wav`, 'does not say which text it speaks', `if it speaks ${file}: cp ${file} ${name}.spoken`)
      else if (spoken !== text) warn(`${name}.wav`, 'speaks an older text', `record ${file} again, then cp ${file} ${name}.spoken`)
    }
  }
  for (const file of files.filter(file => /\.(mp3|ogg|flac|m4a|aiff?|wma|wave|WAV|TXT)$/.test(file))) {
    warn(file, 'is not looked at', `prompts are <name>.txt, and recordings <name>.wav, in small letters: ${/txt$/i.test(file) ? 'rename it' : 'export it as <name>.wav'}`)
  }
  for (const file of files.filter(file => file.endsWith('.wav'))) {
    const text = file.replace(/\.wav$/, '.txt')
    if (!files.includes(text)) warn(file, 'is a recording without a text, and is not played', `write ${text}`)
  }
  return { prompts, faults }
}

/** What is known of a text that is not UTF-8, as it goes on behind that; undefined where it is. */
function otherEncoding(bytes: Buffer): string | undefined {
  const mark = bytes.toString('latin1', 0, 2)
  if (mark === '\xff\xfe' || mark === '\xfe\xff' || bytes.includes(0)) return ' but UTF-16, which Windows calls "Unicode"'
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return undefined
  } catch {
    return ''
  }
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()
