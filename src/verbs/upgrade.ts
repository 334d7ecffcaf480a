/** `npx satunomor upgrade`: which shipped files have changed since the city's folder took them over, and taking them over. Nothing is merged silently. */
import { existsSync } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { project } from '../../setup/project.mjs'
import { renewBase, write } from '../city/shipped.ts'
import { hasMarks, merge, upgradeOf, type Change, type State, type Upgrade } from '../city/upgrade.ts'
import { unified } from '../dialplan/unified.ts'
import { orMeant, quote } from '../plan/faults.ts'
import { settingsHere } from './here.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [
    ['upgrade', 'lists what has changed; writes a merge beside each file that you have edited, too'], ['upgrade --show FILE', 'what changed in the shipped file'],
    ['upgrade --take FILE', 'takes the shipped file over, or the merge'], ['upgrade --take-all', 'takes over every file that you have not edited'], ['upgrade --keep FILE', 'keeps yours as it is']
  ],
  options: {
    show: { type: 'string', value: 'PATH', does: 'a path in the city\'s folder, as the list has it' }, take: { type: 'string', value: 'PATH', does: 'the same' },
    'take-all': { type: 'boolean', does: 'all at once' }, keep: { type: 'string', value: 'PATH', does: 'a path; it is listed again when it is shipped otherwise again' }
  },
  example: 'upgrade --take templates/pjsip.conf.liquid'
} as const satisfies Usage

/** Ends with 1 while something is left to decide. */
export async function run(args: string[]): Promise<number> {
  const { values: { show, take, keep, 'take-all': takeAll } } = read(usage, args)
  if ([show, take, keep, takeAll].filter(value => value !== undefined).length > 1) misused('upgrade', 'say one of --show, --take, --take-all and --keep')
  const { city } = settingsHere()
  if (city === undefined) {
    process.stdout.write(`No city's own folder is named (SATUNOMOR_CITY): dialplan/ and asterisk-config/ of ${project} serve, and git pull changes them.\nnpx satunomor init FOLDER makes a folder of your own.\n`)
    return 0
  }
  const upgrade = await upgradeOf(project, city)
  if (!upgrade) throw new Error(`${city} has no .base, so nothing says what it was made of. Make another folder (npx satunomor init FOLDER), and copy your edits into it`)
  const named = (path: string) => upgrade.changes.find(change => change.path === path)
    ?? misused('upgrade', orMeant(`${quote(path)} is none of the files that have changed`, path, upgrade.changes.map(({ path }) => path)))
  if (show !== undefined) {
    process.stdout.write(unified(textOf(upgrade.base, named(show).path), textOf(upgrade.now, show), { before: `shipped before/${show}`, after: `shipped now/${show}` }))
    return 0
  }
  if (take !== undefined) await takeOver(city, upgrade, named(take))
  if (keep !== undefined) {
    await renewBase(city, [named(keep).path], upgrade.now)
    process.stdout.write(`${keep} stays as it is in ${city}.\n`)
  }
  if (takeAll) for (const change of upgrade.changes) if (['new', 'changed', 'gone'].includes(change.state)) await takeOver(city, upgrade, change)
  const left = (await upgradeOf(project, city))!
  if (left.changes.length === 0) {
    // Of what the city has already, the base is renewed, too: the next merge begins from there.
    await renewBase(city, [...new Set([...left.base.keys(), ...left.now.keys()])], left.now, left.to)
    process.stdout.write(`${city} has what Satunomor ${left.to} ships${upgrade.changes.length > 0 ? '. Make it live: npx satunomor diff, npx satunomor apply --why "upgrade"' : ''}.\n`)
    return 0
  }
  process.stdout.write(`${city} took its files over from Satunomor ${left.from}. This is ${left.to}. Changed since:\n`)
  for (const change of left.changes) process.stdout.write(`  ${change.path}\n    ${await inWords(city, left, change)}\n`)
  process.stdout.write('npx satunomor upgrade --show FILE shows what changed. --take FILE takes it over, --take-all all that you have not edited. --keep FILE leaves yours as it is.\n')
  return 1
}

const textOf = (files: Upgrade['base'], path: string) => files.get(path)?.toString() ?? ''

const words: Record<Exclude<State, 'both'>, string> = {
  new: 'is new: it was not shipped before', changed: 'you have not edited it', removed: 'you have removed it: --take brings it back',
  gone: 'is shipped no more: --take removes it', 'gone-edited': 'is shipped no more, and you have edited it: --take puts yours aside as FILE.yours'
}

async function inWords(city: string, upgrade: Upgrade, { path, state }: Change): Promise<string> {
  if (state !== 'both') return words[state]
  const file = join(city, `${path}.merged`)
  if (existsSync(file)) return `you have edited it, too. The merge is ${file}${hasMarks(await readFile(file, 'utf8')) ? ': decide the places between <<<<<<< and >>>>>>>, then --take' : ': look at it, then --take'} (remove it to have it made anew)`
  const merged = await merge(upgrade, path)
  if (!merged) {
    await write(join(city, `${path}.shipped`), upgrade.now.get(path)!)
    return `you have edited it, too. Git is not there to merge them: ${path}.shipped is what is shipped now. Bring its changes into yours, then --keep`
  }
  await write(file, merged.text)
  const decide = merged.conflicts > 0 ? `${merged.conflicts} ${merged.conflicts === 1 ? 'place' : 'places'} between <<<<<<< and >>>>>>> to decide in it` : 'no place in it to decide'
  return `you have edited it, too. The merge is ${file}: ${decide}. Look at it, then --take`
}

async function takeOver(city: string, { now }: Upgrade, { path, state }: Change) {
  const file = join(city, path)
  if (state === 'both') {
    const merged = await readFile(`${file}.merged`, 'utf8').catch(() => undefined)
    if (merged === undefined) throw new Error(`you have edited ${path}, too, and there is no ${file}.merged yet: npx satunomor upgrade writes it. Nothing was changed`)
    if (hasMarks(merged)) throw new Error(`${file}.merged still has places between <<<<<<< and >>>>>>>: decide them first. Nothing was changed`)
    await rename(`${file}.merged`, file)
  } else if (state === 'gone-edited') await rename(file, `${file}.yours`).catch(error => { if (error.code !== 'ENOENT') throw error })
  else if (state === 'gone') await rm(file, { force: true })
  else await write(file, now.get(path)!)
  await renewBase(city, [path], now)
  process.stdout.write(`${path}: ${state === 'both' ? 'the merge is taken over' : state.startsWith('gone') ? 'is removed' : 'is taken over'}.\n`)
}
