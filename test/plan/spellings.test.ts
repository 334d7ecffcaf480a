/** A number in each of the ways in which networks write it, and two that are one to them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPlan } from '../../src/plan/read.ts'
import { doubts, simulate } from '../../src/plan/simulate.ts'
import { areaCodes, numberOf, spellings } from '../../src/plan/spellings.ts'
import { town } from './town.ts'

const read = (numbers: string, more = 'areaCode: "0721"\n') => readPlan(more + town.replace(/numbers:\n(?: .*\n)*/, `numbers: { ${numbers} }\n`), { file: 'plan.yaml' })

test('a short number has its area\'s spellings, a whole one its local one', () => {
  expect(spellings('112', ['0721'])).toEqual(['112', '+112', '0112', '+62112', '62112', '0062112', '0721112', '+62721112', '62721112', '0062721112', '721112'])
  expect(spellings('+62721555010', ['0721'])).toEqual(expect.arrayContaining(['+62721555010', '62721555010', '0721555010', '721555010', '555010']))
  expect(spellings('112', [])).toEqual(['112', '+112', '0112', '+62112', '62112', '0062112'])
  expect(spellings('+12025550123', ['0721'])).toEqual(['+12025550123', '12025550123', '0012025550123'])
})

test('however the plan writes a number, it has the same spellings', () => {
  const sorted = (number: string) => spellings(number, ['0721']).filter(one => !one.startsWith('+555') && !/^(0|\+62|62|0062)555010$/.test(one)).sort()
  for (const number of ['62721555010', '0721555010']) expect(sorted(number)).toEqual(sorted('+62721555010'))
})

test('each spelling is digits with a + at most, once, and leads back to its number', () => {
  fc.assert(fc.property(fc.stringMatching(/^\+?[0-9]{1,15}$/), fc.stringMatching(/^0[2-9][0-9]{1,2}$/), (number, areaCode) => {
    const all = spellings(number, [areaCode])
    expect(new Set(all).size).toBe(all.length)
    expect(all[0]).toBe(number)
    for (const one of all) {
      expect(one).toMatch(/^\+?[0-9]+$/)
      expect(numberOf({ areaCode, trunks: new Map(), numbers: new Map([[number, { language: 'id', entry: 'x' }]]) }, one)).toBe(number)
    }
  }))
})

test('two numbers that a network may write alike are refused, others are not', () => {
  expect(() => read('"112": { entry: utama }, "0721112": { entry: utama }')).toThrow('"0721112" and "112" are one number to a network: both can be written "0721112"')
  for (const [numbers, more] of [['"112": { entry: utama }, "0721112": { entry: utama }', ''], ['"112": { entry: utama }, "+62721555010": { entry: utama }']] as const) expect(read(numbers, more).plan.numbers.size).toBe(2)
})

test('a trunk may have an area code of its own, and simulate takes any spelling', () => {
  const { plan } = read('"112": { entry: utama }', 'areaCode: "0721"\n')
  expect([...areaCodes({ areaCode: '0721', trunks: new Map([['a', { areaCode: '0729' }], ['b', {}]]) })]).toEqual(['0721', '0729'])
  expect(doubts(plan!, { number: '+62721112' })).toEqual([])
  expect(simulate(plan!, { number: '+62721112', at: 0 }).steps[0]).toMatchObject({ kind: 'dials', to: 'utama' })
  expect(doubts(plan!, { number: '113' })).toMatchObject([{ part: 'number' }])
})
