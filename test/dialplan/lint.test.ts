/** A template may be edited at night, in a hurry, by anyone: this is what does not get through. */
import { describe, expect, it } from 'vitest'
import { lint } from '../../src/dialplan/lint.ts'
import { render } from '../../src/dialplan/render.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { town } from '../plan/town.ts'

const findings = (line: string, file = 'extensions.conf') =>
  lint(new Map([[file, `[a]\nexten => s,1,NoOp()\n${line}`]])).map(formatFault)

it('the repository\'s own templates are clean', async () => {
  const { plan } = readPlan(town, { file: 'plan.yaml' })
  const files = await render('dialplan/templates', plan, { address: '127.0.0.1', port: 5060, sounds: '/var/lib/sounds' })
  expect(lint(files, { elsewhere: ['last-resort'] }).map(formatFault)).toEqual([])
})

describe('refused is', () => {
  it.each([
    ['System', 'same => n,System(rm -rf /)', '[a]: runs System, which is not among the known applications — see src/dialplan/lint.ts'],
    ['its cousins', 'same => n,TrySystem(x)', '[a]: runs TrySystem, which is not among the known applications — see src/dialplan/lint.ts'],
    ['an application that runs another', 'same => n,Exec(System(x))', '[a]: runs Exec, which is not among the known applications — see src/dialplan/lint.ts'],
    ['System behind a condition', 'same => n,ExecIf($[1]?System(x):NoOp())', '[a]: runs System, which is not among the known applications — see src/dialplan/lint.ts'],
    ['SHELL', 'same => n,NoOp(${SHELL(id)})', '[a]: uses SHELL(), which is not among the known functions — see src/dialplan/lint.ts'],
    ['SHELL inside of another', 'same => n,NoOp(${TOUPPER(${SHELL(id)})})', '[a]: uses SHELL(), which is not among the known functions — see src/dialplan/lint.ts'],
    ['SHELL after what only looks like a comment', 'same => n,NoOp(\\; ${SHELL(id)})', '[a]: uses SHELL(), which is not among the known functions — see src/dialplan/lint.ts'],
    ['a function that is written', 'same => n,Set(FILE(/etc/x)=1)', '[a]: uses FILE(), which is not among the known functions — see src/dialplan/lint.ts'],
    ['a function whose name is computed', 'same => n,NoOp(${${X}(id)})', '[a]: has a variable whose name is computed — name it'],
    ['dialling what the caller sent', 'same => n,Dial(PJSIP/${EXTEN}@carrier,20)',
      '[a]: Dial is led by what the caller sent — compare it with what is in the plan, and go to a fixed place',
      '[a]: Dial takes its line from a variable — only lines written out, or the ARGs of a Gosub, may be dialled'],
    ['dialling it by way of a variable', 'same => n,Dial(PJSIP/${X}@carrier,20)', '[a]: Dial takes its line from a variable — only lines written out, or the ARGs of a Gosub, may be dialled'],
    ['going where the caller says', 'same => n,Goto(a,${EXTEN},1)', '[a]: Goto is led by what the caller sent — compare it with what is in the plan, and go to a fixed place'],
    ['a context that is not there', 'same => n,Goto(aa,s,1)', '[a]: leads to the context "aa", which does not exist — did you mean "a"?'],
    ['one behind a condition', 'same => n,GotoIf($["${X}" = "?,"]?a,s,1:b,s,1)', '[a]: leads to the context "b", which does not exist — did you mean "a"?'],
    ['one that Dial runs', 'same => n,Dial(PJSIP/x@y,20,gU(accpt^1))', '[a]: leads to the context "accpt", which does not exist'],
    ['one that is included', 'include => b', '[a]: leads to the context "b", which does not exist — did you mean "a"?'],
    ['a switch', 'switch => Realtime/x', '[a]: has "switch" — contexts hold exten, same and include'],
    ['a line that is nothing', 'sam => n,NoOp()', '[a]: has "sam" — contexts hold exten, same and include'],
    ['a step without an application', 'same => n', '[a]: cannot be read: "n" — write "exten => 10,1,App(…)" or "same => n,App(…)"'],
    ['a block comment', ';-- hidden', 'begins a block comment (;--) — begin each line with "; " instead']
  ])('%s', (_, line, ...expected) => {
    expect(findings(line)).toEqual(expected.map(finding => `extensions.conf:3:1 ${finding}`))
  })

  it('#exec, in any file', () => {
    expect(findings('#exec /bin/sh', 'pjsip.conf')).toEqual(['pjsip.conf:3:1 has "#exec" — files load no others and run no programs: write it out'])
  })

  it('music on hold that runs a program', () => {
    expect(findings('application=/bin/sh', 'musiconhold.conf')).toEqual(['musiconhold.conf:3:1 runs a program — music on hold plays files: mode = playlist'])
  })
})

it.each([
  'same => n(ask),Background(a&b)', 'exten => _X.,n,Hangup', 'same => n,Set(CALLERID(all)="" <${D:0:20}>)',
  'same => n,GotoIf($[${EPOCH} - 0${SN_BEAT} > 4]?fallback)', 'same => n,Set(D=${FILTER(0-9+,${CALLERID(num)})})',
  'same => n,Stasis(satunomor,inbound,${URIENCODE(${CALLERID(num)})})', 'same => n,NoOp(x) ; ${SHELL(x)} in a comment',
  'same => n,Dial(${ARG3},${ARG4},m(${ARG6})${ARG7})', 'same => n,Goto(s,ask)', 'include => a'
])('accepted is: %s', line => {
  expect(findings(line)).toEqual([])
})
