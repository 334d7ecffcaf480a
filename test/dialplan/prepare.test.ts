/** The whole way from the admin's folder to what may go live. */
import { expect, it } from 'vitest'
import { prepare, type Preparation } from '../../src/dialplan/prepare.ts'
import type { Run } from '../../src/dialplan/run.ts'
import { town, townPrompts, townWith } from '../plan/town.ts'
import { folder } from './folder.ts'

const texts = Object.fromEntries([...townPrompts].flatMap(([language, names]) => [...names.keys()].map(name => [`prompts/${language}/${name}.txt`, 'Halo.'])))
const speaks = (length: number): Run => async () => Buffer.alloc(length * 8000)

async function admin(files: Record<string, string> = {}) {
  const desk = await folder({ 'plan.yaml': town, 'templates/extensions.conf.liquid': '[a]\nexten => s,1,NoOp({{ site.x }})\n same => n,Hangup()\n', ...texts, ...files })
  const preparation: Preparation = {
    planFile: `${desk.path}/plan.yaml`, templates: `${desk.path}/templates`, prompts: `${desk.path}/prompts`,
    sounds: `${desk.path}/sounds`, site: { x: 'hello' }, run: speaks(2)
  }
  return { preparation, [Symbol.asyncDispose]: () => desk[Symbol.asyncDispose]() }
}

it('a whole folder becomes files, sounds and lengths', async () => {
  await using desk = await admin()
  const { plan, files, lengths, warnings } = await prepare(desk.preparation)
  expect(files.get('extensions.conf')).toContain(`plan ${plan.version}; do not edit\n[a]\nexten => s,1,NoOp(hello)\n same => n,Hangup()\n`)
  expect(lengths.get('en')?.get('sambutan')).toBe(1700)          // the voice, without the silence that it begins with
  expect(warnings).toEqual([])
})

it('a faulty plan, a faulty template, a forbidden application and a long menu each stop it', async () => {
  await using broken = await admin({ 'plan.yaml': townWith(['2: lain', '2: lian']) })
  await expect(prepare(broken.preparation)).rejects.toMatchObject({ name: 'PlanFaults' })

  await using misspelt = await admin({ 'templates/extensions.conf.liquid': '{{ cty }}' })
  await expect(prepare(misspelt.preparation)).rejects.toMatchObject({ name: 'TemplateFaults' })

  await using forbidden = await admin({ 'templates/extensions.conf.liquid': '[a]\nexten => s,1,System(x)\n' })
  await expect(prepare(forbidden.preparation)).rejects.toMatchObject({ name: 'NotPrepared' })

  await using slow = await admin()
  await expect(prepare({ ...slow.preparation, run: speaks(6) })).rejects.toThrow('hears the last choice only after 11.4 s')
})

it('a text that is missing is a fault of the plan', async () => {
  await using desk = await admin({ 'prompts/en/sambutan.txt': '' })
  await expect(prepare(desk.preparation)).rejects.toThrow('menus.utama.greeting: the prompt "sambutan" has no text in en')
})
