/** The plan as the rest of the program gets it. */
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { seconds } from '../../src/plan/duration.ts'
import { PlanFaults } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { town, townPrompts } from './town.ts'

const read = (text: string | Uint8Array) => readPlan(text, { file: 'plan.yaml', prompts: townPrompts })

it('the town\'s plan is read whole, with what was left out filled in', () => {
  const { plan, faults } = read(town)
  expect(faults).toEqual([])
  expect(plan.trunks.get('carrier')).toEqual({ role: 'carrier', nat: 'no', address: '127.0.0.2', port: 5060, codecs: ['alaw', 'ulaw'] })
  expect(plan.numbers.get('+62721555')).toEqual({ language: 'id', entry: 'bpbd' })
  expect(plan.nodes.get('utama')).toEqual({
    kind: 'menu', id: 'utama', greeting: 'sambutan', prompt: 'menu-utama', patience: seconds(3), tries: 2,
    keys: new Map([['1', { to: 'bpbd' }], ['2', { to: 'lain' }]]), silence: 'posko', wrongKey: 'tidak-valid'
  })
  expect(plan.nodes.get('lain')).toMatchObject({ patience: seconds(1.5), tries: 3, wrongKey: 'salah' })
  expect(plan.nodes.get('bpbd')).toEqual({
    kind: 'agency', id: 'bpbd', name: 'BPBD', connecting: 'sambung', sorry: 'maaf', order: 'in-turn', lines: [
      { id: 'bpbd-1', trunks: ['gateway'], number: 'bpbd-1', ringTime: seconds(20), ringsWithin: seconds(12), capacity: 1, priority: 1, of: 'bpbd' },
      { id: 'bpbd-2', trunks: ['carrier'], number: '0721556', acceptKey: '1', ringTime: seconds(30), ringsWithin: seconds(12), capacity: 2, priority: 1, of: 'bpbd' }
    ]
  })
  expect(plan.prompts.accept).toBe('konfirmasi-petugas')
})

it('the version is the text\'s, however it arrives', () => {
  const { plan } = read(town)
  expect(plan.version).toMatch(/^[0-9a-f]{12}$/)
  expect(read(Buffer.from(town)).plan.version).toBe(plan.version)
  expect(read(`${town}#\n`).plan.version).not.toBe(plan.version)
})

it('nobody can change a plan once it is read', () => {
  const { plan } = read(town)
  expect(() => (plan.nodes as Map<string, unknown>).set('x', {})).toThrow('frozen')
  expect(() => (plan.languages as string[]).push('su')).toThrow(TypeError)
  expect(() => { (plan.nodes.get('utama') as { silence: string }).silence = 'bpbd' }).toThrow(TypeError)
})

it('a telephone number without quotes keeps its leading zero', () => {
  const { plan } = read(town.replace('"0721556"', '0721556'))
  expect(plan.nodes.get('bpbd')).toMatchObject({ lines: [{}, { number: '0721556' }] })
})

it('the plan in this repository is whole', () => {
  const file = 'dialplan/plan.yaml'
  expect(readPlan(readFileSync(file), { file }).faults).toEqual([])
})

it('whatever is written, it is a plan or it is refused with reasons', () => {
  const scraps = fc.constantFrom('*', '&a ', '!!binary ', '{', '}', '[', ']', ':', '\n', '  ', '\t', '"', '- ', '? ', '<<: ', '---\n', '%YAML 9\n', '|', '\u0000', '\uFEFF', '\uD800', 'null', '__proto__: ', '0x1F', '2: ')
  const scrap = fc.oneof(scraps, fc.string({ maxLength: 8, unit: 'binary' }))
  const cut = fc.record({ at: fc.nat(town.length), remove: fc.nat(30), insert: scrap })
  fc.assert(fc.property(fc.array(cut, { minLength: 1, maxLength: 4 }), cuts => {
    const text = cuts.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), town)
    try {
      read(text)
    } catch (error) {
      expect(error).toBeInstanceOf(PlanFaults)
      for (const fault of (error as PlanFaults).faults) {
        expect(fault.line).toBeGreaterThan(0)
        expect(fault.column).toBeGreaterThan(0)
        expect(fault.sentence).not.toBe('')
      }
    }
  }), { numRuns: 500 })
}, 30_000)

it('whatever bytes are read, they are a plan or refused with reasons', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(town.length), (bytes, at) => {
    try {
      read(Buffer.concat([Buffer.from(town.slice(0, at)), bytes, Buffer.from(town.slice(at))]))
    } catch (error) {
      expect(error).toBeInstanceOf(PlanFaults)
    }
  }), { numRuns: 300 })
}, 30_000)
