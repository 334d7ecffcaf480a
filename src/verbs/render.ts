/** `npx satunomor render [--out DIR]`: what Asterisk would load, on the terminal or in a folder. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { desk } from './desk.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: ['render [--out FOLDER]'], options: { out: { type: 'string', value: 'FOLDER', does: 'writes a file for each; the terminal if left out' } }, example: 'render --out /tmp/rendered'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { out } } = read(usage, args)
  await using draft = await desk().changes.draft()
  const { files } = draft.candidate
  if (out === undefined) {
    for (const [name, text] of files) process.stdout.write(`; ==== ${name}\n${text}\n`)
    return 0
  }
  await mkdir(out, { recursive: true })
  for (const [name, text] of files) await writeFile(join(out, name), text)
  process.stdout.write(`${[...files.keys()].join(', ')} written to ${out}\n`)
  return 0
}
