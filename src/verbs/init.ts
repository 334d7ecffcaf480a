/** `npx satunomor init FOLDER`: makes a city's own folder of the demo. From then on an upgrade of Satunomor touches nothing of it. */
import { readdir } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { project } from '../../setup/project.mjs'
import { editedInClone, makeCity, release } from '../city/shipped.ts'
import { Versions } from '../dialplan/versions.ts'
import { places } from '../settings.ts'
import { settingsHere } from './here.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = { lines: ['init FOLDER'], words: 1, options: {}, example: 'init /srv/city' } as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { words: [name] } = read(usage, args)
  if (name === undefined) misused('init', 'say where: init /srv/city')
  const city = resolve(name)
  if (!relative(project, city).startsWith('..')) throw new Error(`${city} is in the project's folder, which an upgrade changes: name a folder elsewhere, as in /srv/city`)
  const there = await readdir(city).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (there.some(name => name !== '.git')) throw new Error(`${city} is not empty: a city's folder is made in one that is empty or not there yet. Nothing was changed`)
  await makeCity(project, city)
  const edited = await editedInClone(project)
  const live = await new Versions(places(settingsHere().state).versions).look()
  const first = live && Number.isFinite(live.version) ? ` --base ${live.version}` : ''
  process.stdout.write([
    `${city} is made: the demo's plan, and what Satunomor ${await release(project)} ships with it.`,
    ...edited.length > 0 ? [`What you have edited in ${project} is in it, too: ${edited.join(', ')}`] : [],
    'Next:',
    `1. Write SATUNOMOR_CITY=${city} into satunomor.env in ${project}, or with containers into .env (docs/operations.md, "The city's own folder").`,
    `2. Edit ${city}/plan.yaml: the city, its number, its trunks and its agencies (docs/plan.md). Write in calls.yaml what must stay true.`,
    `3. Check it: SATUNOMOR_CITY=${city} npx satunomor validate`,
    live ? `4. Have the service read the setting: npx satunomor restart. Then make the folder live: npx satunomor apply${first} --why "the city's own folder"` : '4. Start: npm start. The first start makes the folder live.',
    '5. After each upgrade of Satunomor: npx satunomor upgrade shows which shipped files have changed.', ''
  ].join('\n'))
  return 0
}
