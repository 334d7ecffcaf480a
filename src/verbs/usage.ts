/** What a verb takes: `--help` prints it, and what is typed is held against it before the verb does anything. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { listed, orMeant, quote } from '../plan/faults.ts'

export interface Option {
  type: 'string' | 'boolean'
  /** May stand there more than once. */
  multiple?: boolean
  /** What stands after it, in the help. A FILE must be there. */
  value?: string
  does: string
}

export interface Usage {
  /** Each way to type it, without `npx satunomor`, with what it does where that is not the same for all. */
  lines: readonly (string | readonly [line: string, does: string])[]
  options: Readonly<Record<string, Option>>
  /** How many words it takes, beside its options. */
  words?: number
  /** Or, by its first word: how many more, and with which options. */
  ways?: Readonly<Record<string, { words: number, options: readonly string[] }>>
  /** Without `npx satunomor`. */
  example: string
}

type Values<O extends Usage['options']> = { [K in keyof O]: (O[K] extends { multiple: true } ? string[] : O[K] extends { type: 'boolean' } ? boolean : string) | undefined }

/** The verb was not typed as it can be; nothing was done. */
export class Misused extends Error {
  override name = 'Misused'
}

/** The options and the words that were typed. Throws `Misused`. */
export function read<const U extends Usage>(usage: U, args: string[]): { values: Values<U['options']>, words: string[] } {
  const { options, words: most = 0, ways } = usage as Usage
  const verb = verbOf(usage)
  const { values, positionals: words } = parsed(usage, args)
  if (ways && words.length > 0) {
    const [name = '', ...more] = words
    const way = Object.hasOwn(ways, name) ? ways[name]! : misused(verb, orMeant(`${quote(name)} is none of ${Object.keys(ways).join(', ')}`, name, Object.keys(ways)))
    const strange = Object.keys(values).find(option => !way.options.includes(option))
    if (strange !== undefined) misused(verb, `--${strange} means nothing for ${verb} ${name}`)
    if (more.length > way.words) misused(verb, surplus(more[way.words]!))
  } else if (words.length > most) misused(verb, surplus(words[most]!))
  for (const [name, { value }] of Object.entries(options)) {
    if (value !== 'FILE') continue
    for (const file of [values[name] ?? []].flat()) if (!isFile(String(file))) misused(verb, `--${name}: there is no file ${resolve(String(file))}`)
  }
  return { values: values as Values<U['options']>, words }
}

function parsed(usage: Usage, args: string[]): { values: Record<string, unknown>, positionals: string[] } {
  const { options } = usage
  try {
    const { values, positionals } = parseArgs({ args, options: Object.fromEntries(Object.entries(options).map(([name, { type, multiple = false }]) => [name, { type, multiple }])), allowPositionals: true })
    return { values, positionals }
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error
    const typed = /'(-[^' ]*)/.exec(message)?.[1] ?? ''
    const option = options[typed.replace(/^--/, '')]
    const known = Object.keys(options).map(name => `--${name}`)
    if (!option) misused(verbOf(usage), `there is no option ${typed}: ${known.length > 0 ? orMeant(`there are ${listed(known)}`, typed, known) : 'it has none'}`)
    misused(verbOf(usage), option.type === 'boolean' ? `${typed} takes no value` : `a value is missing: ${typed} ${option.value ?? '…'}`)
  }
}

/** What `npx satunomor <verb> --help` prints. */
export function helpOf({ lines, options, example }: Usage, does: string): string {
  const ways = lines.map(line => typeof line === 'string' ? [line, ''] as const : line)
  const rows = (pairs: (readonly [string, string])[]) => {
    const width = Math.max(...pairs.map(([name]) => name.length))
    return pairs.map(([name, does]) => `  ${name.padEnd(width)}  ${does}`.trimEnd())
  }
  const named = Object.entries({ ...options, help: { type: 'boolean', does: 'prints this' } satisfies Option })
  return [
    ...rows(ways.map(([line, does]) => [`npx satunomor ${line}`, does])), '',
    `${does[0]!.toUpperCase()}${does.slice(1)}.`, '',
    ...rows(named.map(([name, { value, does }]: [string, Option]) => [`--${name}${value === undefined ? '' : ` ${value}`}`, does])), '',
    `For example: npx satunomor ${example}`, ''
  ].join('\n')
}

/** Ends the verb with a sentence that says how it is typed. */
export function misused(verb: string, sentence: string): never {
  throw new Misused(`${verb}: ${sentence}\nnpx satunomor ${verb} --help says how it is used.`)
}

const surplus = (word: string) => `${quote(word)} is one word too many`
const verbOf = ({ lines: [line = ''] }: Usage) => (typeof line === 'string' ? line : line[0]).split(' ')[0]!
const isFile = (path: string) => !(statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? true)
