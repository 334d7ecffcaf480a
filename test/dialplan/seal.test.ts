/** Who is in the dialplan when it changes, goes on in the one that they entered. */
import { expect, test } from 'vitest'
import { parseDialplan } from '../../src/dialplan/dialplan.ts'
import { holds, seal } from '../../src/dialplan/seal.ts'

const trunk = '[globals]\nSN_PLAN=1\n[trunk-in]\nexten => 112,1,Goto(menu,s,1)\n'
const menu = '[menu]\nexten => s,1,Background(x)\nexten => 1,1,Goto(bpbd,s,1)\nexten => t,1,GotoIf($[${X}]?bpbd,s,1:desk,s,1)\n'
const line = '[line]\nexten => s,1,Dial(${ARG1},20,U(accept^1))\n same => n,Return()\n[accept]\nexten => s,1,Return()\n'
const agency = (name: string, ...lines: string[]) =>
  `[${name}]\n${lines.map((id, at) => `${at === 0 ? 'exten => s,1' : ' same => n'},Gosub(line,s,1(PJSIP/${id}@gateway))\n`).join('')}`
const plan = (...agencies: string[]) => trunk + menu + agencies.join('') + line

/** The steps of a context, by its name or the one that it leads to. */
const steps = (text: string, name: string): string[] => {
  const found = parseDialplan(text).statements.filter(({ context }) => context === name).map(({ value }) => value)
  const [, leads] = /^s,1,Goto\(([\w-]+~\w{8}),s,1\)$/.exec(found[0] ?? '') ?? []
  return leads ? steps(text, leads) : found
}

test('a context is entered by its name, and is another one as soon as it, or what it leads to, is', () => {
  const before = seal(plan(agency('bpbd', 'a', 'b'), agency('desk', 'c')))
  const after = seal(plan(agency('bpbd', 'a'), agency('desk', 'c')))
  const sealed = (text: string, name: string) => [...parseDialplan(text).contexts].find(context => context.startsWith(`${name}~`))
  expect(steps(after, 'bpbd')).toEqual([expect.stringMatching(/^s,1,Gosub\(line~\w{8},s,1\(PJSIP\/a@gateway\)\)$/)])
  expect(sealed(after, 'bpbd')).not.toBe(sealed(before, 'bpbd'))
  expect(sealed(after, 'menu')).not.toBe(sealed(before, 'menu'))
  expect(sealed(after, 'desk')).toBe(sealed(before, 'desk'))
  expect(sealed(after, 'line')).toBe(sealed(before, 'line'))
})

test('what was before stays, whole, for those who are in it; also an agency that is no more', () => {
  const old = plan(agency('bpbd', 'a', 'b'), agency('gone', 'g'), agency('desk', 'c'))
  const inThere = [...parseDialplan(seal(old)).contexts].filter(name => name.includes('~'))
  const after = seal(plan(agency('bpbd', 'a'), agency('desk', 'c')), [old])
  for (const name of inThere) expect(steps(after, name), name).toEqual(steps(seal(old), name))
  expect(steps(after, 'gone')).toEqual(steps(seal(old), 'gone'))
  expect(steps(after, 'bpbd')).toHaveLength(1)
  const names = after.split('\n').filter(text => text.startsWith('['))
  expect(new Set(names).size).toBe(names.length)
})

test('who rings together with others does so in the dialplan that the caller is in', () => {
  const text = `${trunk}[bpbd]\nexten => s,1,Gosub(at-once,s,1(Local/together@line-a/n&Local/together@line-b/n))\n[line-a]\nexten => s,1,Return()\nexten => together,1,Gosub(line-a,s,1)\n` +
    '[line-b]\nexten => s,1,Return()\nexten => together,1,Gosub(line-b,s,1)\n[at-once]\nexten => s,1,Dial(${ARG1})\n'
  const [rings] = steps(seal(text), 'bpbd')
  expect(rings).toMatch(/^s,1,Gosub\(at-once~\w{8},s,1\(Local\/together@line-a~\w{8}\/n&Local\/together@line-b~\w{8}\/n\)\)$/)
  expect(steps(seal(text), 'line-a')).toEqual(['s,1,Return()', expect.stringMatching(/^together,1,Gosub\(line-a~\w{8},s,1\)$/)])
})

test('what is not entered at its beginning alone stays as it is', () => {
  const text = `${trunk}[trap]\nexten => s,1,Goto(a,t,1)\n[a]\nexten => s,1,NoOp()\nexten => t,1,Hangup()\n[b]\nexten => s,1,NoOp()\n[c]\nexten => s,1,NoOp()\ninclude => b\n`
  const names = [...parseDialplan(seal(text)).contexts]
  expect(names).toContain('a')
  expect(names.filter(name => name.startsWith('a~') || name.startsWith('b~') || name.startsWith('trunk-in~') || name.startsWith('globals'))).toEqual(['globals'])
  expect(names.some(name => name.startsWith('c~'))).toBe(true)
})

test('a plan is laid out whole beside what is left of older ones, or it is not', () => {
  const [old, now] = [plan(agency('bpbd', 'a', 'b'), agency('gone', 'g')), plan(agency('bpbd', 'a'), agency('desk', 'c'))]
  const after = seal(now, [old])
  expect(holds(after, now)).toBe(true)
  expect(holds(after, old)).toBe(false)                              // whoever dials enters the new one
  expect(holds(after.replace('PJSIP/c@', 'PJSIP/d@'), now)).toBe(false)
  expect(holds('', now)).toBe(false)
})
