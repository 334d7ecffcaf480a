/** asterisk-config/lint-allow.yaml: what templates may use beyond the lint's own lists. */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { quote, type Fault } from '../plan/faults.ts'
import { never } from './lint.ts'
import { NotPrepared } from './prepare.ts'

export interface Allowed {
  applications: string[]
  functions: string[]
}

/** Reads the file. Throws `NotPrepared` where it holds anything but two lists of names, or a name that no list allows. */
export async function readAllowed(file: string): Promise<Allowed> {
  const text = await readFile(file, 'utf8')
  const faults: Fault[] = []
  const line = (word: string) => Math.max(1, text.split('\n').findIndex(line => line.includes(word)) + 1)
  const refuse = (word: string, sentence: string, suggestion: string) => faults.push({ severity: 'error', file, line: line(word), column: 1, path: '', sentence, suggestion })
  const example = 'write applications: [SayDigits] and functions: [SHA1]'
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    refuse('', `is not YAML: ${(error as Error).message.split('\n')[0]}`, example)
  }
  const lists = (content ?? {}) as Record<string, unknown>
  for (const key of Object.keys(lists)) if (key !== 'applications' && key !== 'functions') refuse(key, `has ${quote(key)}`, example)
  const names = (key: keyof Allowed) => {
    const list = lists[key] ?? []
    if (!Array.isArray(list)) return refuse(key, `${key} is no list`, example), []
    for (const name of list) {
      if (typeof name !== 'string' || !/^[A-Za-z_]\w*$/.test(name)) refuse(key, `${key} has ${quote(String(name))}, which is no name`, example)
      else if (never.has(name)) refuse(name, `allows ${name}`, 'it is never allowed: take it out')
    }
    return list.map(String)
  }
  const allowed = { applications: names('applications'), functions: names('functions') }
  if (faults.length > 0) throw new NotPrepared(faults)
  return allowed
}
