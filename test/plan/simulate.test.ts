/** The way of a call, step by step, and what `simulate` is asked in vain. */
import { expect, test } from 'vitest'
import { readPlan } from '../../src/plan/read.ts'
import { doubts, simulate } from '../../src/plan/simulate.ts'
import { town, townWith } from './town.ts'

const { plan } = readPlan(town, { file: 'plan.yaml' })
const always = { open: true, because: 'always', what: '' }

test('a way has everything that is heard and rung, in order', () => {
  expect(simulate(plan, { number: '112', at: 0, press: ['2', '7', '*', '1'], dead: ['bpbd-1'] })).toEqual({
    steps: [
      { kind: 'dials', number: '112', language: 'id', to: 'utama', siaga: false },
      { kind: 'menu', node: 'utama' }, { kind: 'hears', prompt: 'sambutan', language: 'id' }, { kind: 'hears', prompt: 'menu-utama', language: 'id' },
      { kind: 'key', node: 'utama', digit: '2', to: 'lain' },
      { kind: 'menu', node: 'lain' }, { kind: 'hears', prompt: 'menu-lain', language: 'id' },
      { kind: 'key', node: 'lain', digit: '7', to: null }, { kind: 'hears', prompt: 'salah', language: 'id' }, { kind: 'hears', prompt: 'menu-lain', language: 'id' },
      { kind: 'key', node: 'lain', digit: '*', to: 'utama' },
      { kind: 'menu', node: 'utama' }, { kind: 'hears', prompt: 'sambutan', language: 'id' }, { kind: 'hears', prompt: 'menu-utama', language: 'id' },
      { kind: 'key', node: 'utama', digit: '1', to: 'bpbd' },
      { kind: 'agency', agency: 'bpbd', opening: always },
      { kind: 'hears', prompt: 'sambung', language: 'id' }, { kind: 'line', line: 'bpbd-1', outcome: 'dead' },
      { kind: 'hears', prompt: 'sedang-menghubungkan', language: 'id' }, { kind: 'line', line: 'bpbd-2', outcome: 'answered' }
    ],
    language: 'id', reaches: { agency: 'bpbd', line: 'bpbd-2' }
  })
})

test('silence, too many wrong keys, and an apology at the end', () => {
  expect(simulate(plan, { number: '112', at: 0 }).steps.at(-4)).toEqual({ kind: 'silence', node: 'utama', to: 'posko' })
  expect(simulate(plan, { number: '112', at: 0, press: ['8', '9'] }).steps.at(-4)).toEqual({ kind: 'tries', node: 'utama', to: 'posko' })
  const { steps, reaches } = simulate(plan, { number: '112', at: 0, busy: ['posko-1'] })
  expect(steps.at(-1)).toEqual({ kind: 'hears', prompt: 'maaf-posko', language: 'id' })
  expect(reaches).toBeUndefined()
})

test('a key chooses the language of what is heard from there on: in the same menu again, or at another node', () => {
  const { plan } = readPlan(townWith(['      2: lain\n', '      2: { to: lain }\n      8: { language: en, to: posko }\n      9: { language: en }\n']), { file: 'plan.yaml' })
  const { steps, language, reaches } = simulate(plan, { number: '112', at: 0, press: ['9', '2', '1'] })
  expect(steps.slice(2, 12)).toEqual([
    { kind: 'hears', prompt: 'sambutan', language: 'id' }, { kind: 'hears', prompt: 'menu-utama', language: 'id' },
    { kind: 'key', node: 'utama', digit: '9', to: 'utama', language: 'en' },
    { kind: 'menu', node: 'utama' }, { kind: 'hears', prompt: 'sambutan', language: 'en' }, { kind: 'hears', prompt: 'menu-utama', language: 'en' },
    { kind: 'key', node: 'utama', digit: '2', to: 'lain' },
    { kind: 'menu', node: 'lain' }, { kind: 'hears', prompt: 'menu-lain', language: 'en' },
    { kind: 'key', node: 'lain', digit: '1', to: 'bpbd' }
  ])
  expect({ language, reaches }).toEqual({ language: 'en', reaches: { agency: 'bpbd', line: 'bpbd-1' } })
  expect(simulate(plan, { number: '112', at: 0, press: ['8'] })).toMatchObject({ language: 'en', reaches: { agency: 'posko' } })
})

test('what the plan does not know is told, with what was meant', () => {
  expect(doubts(plan, { number: '113', press: ['1', '12'], busy: ['bpdb-1'], dead: ['posko-1'] })).toEqual([
    { part: 'number', index: undefined, sentence: '"113" is no number of the plan', suggestion: 'did you mean "112"?' },
    { part: 'press', index: 1, sentence: '"12" is no key of a telephone', suggestion: 'there are 0 to 9, "*" and "#"' },
    { part: 'busy', index: 0, sentence: '"bpdb-1" is no line of the plan', suggestion: 'did you mean "bpbd-1"?' }
  ])
  expect(() => simulate(plan, { number: '113', at: 0 })).toThrow('the service plan has no number "113"')
})
