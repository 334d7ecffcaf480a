/** `npx satunomor render [--out DIR]`: what Asterisk would load, on the terminal or in a folder. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { desk } from './desk.ts'

export async function run(args: string[]): Promise<number> {
  const { values: { out } } = parseArgs({ args, options: { out: { type: 'string' } } })
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
