/** A template may be edited at night, in a hurry, by anyone: this is what does not get through. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lint } from '../../src/dialplan/lint.ts'
import { readAllowed } from '../../src/dialplan/lint-allow.ts'
import { render } from '../../src/dialplan/render.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { traced } from '../../src/dialplan/trace.ts'
import { town } from '../plan/town.ts'
import { folder } from './folder.ts'

const findings = (line: string, file = 'extensions.conf') =>
  lint(new Map([[file, `[a]\nexten => s,1,NoOp()\n${line}\n same => n(ask),Wait(1)\n same => n(fallback),Hangup()`]])).map(formatFault)

it('Record writes to the mailbox, and nowhere else', () => {
  const recording = (args: string) => lint(new Map([['extensions.conf', `[a]\nexten => s,1,Record(${args})\n same => n,ExecIf($[1]?Record(${args}):NoOp())\n same => n,Hangup()`]])).map(({ line, sentence }) => `${line} ${sentence}`)
  expect(recording('/var/spool/asterisk/mailbox/${UNIQUEID}.alaw,5,60,qk')).toEqual([])
  const others = ['/etc/asterisk/${UNIQUEID}.alaw', '/var/spool/asterisk/mailbox/../outgoing/${UNIQUEID}.alaw', '/var/spool/asterisk/mailbox/${UNIQUEID}.wav', '/var/spool/asterisk/mailbox/${CALLERID(num)}.alaw',
    '/var/spool/asterisk/mailbox/x${UNIQUEID}.alaw', '/var/spool/asterisk/mailbox/${UNIQUEID}%d.alaw', '/var/spool/asterisk/mailbox/pesan.alaw', 'mailbox/${UNIQUEID}.alaw', '${X}', ' /var/spool/asterisk/mailbox/${UNIQUEID}.alaw', '']
  for (const path of others) expect(recording(`${path},5,60,qk`), path).toEqual(['2 records to another place than the mailbox', '3 records to another place than the mailbox'])
})

it('the repository\'s own templates are clean', async () => {
  const { plan } = readPlan(`${town}followups: { mailbox: pesan }\nmailboxes: { pesan: {} }\n`, { file: 'plan.yaml' })
  const files = await render('dialplan/templates', plan, { address: '127.0.0.1', port: 5060, sounds: '/var/lib/sounds' })
  expect(lint(files, { elsewhere: ['last-resort'], callbacks: 'carrier' }).map(formatFault)).toEqual([])
})

describe('refused is', () => {
  it('only the trunk of the plan rings citizens back, and only the number that the service says', () => {
  const dialling = (target: string) => lint(new Map([['extensions.conf', `[a]\nexten => s,1,Dial(${target},20)\n same => n,Hangup()`]]), { lines: new Set(), callbacks: 'carrier' })
  expect(dialling('PJSIP/${SN_CITIZEN}@carrier')).toEqual([])
  expect(dialling('PJSIP/${SN_CITIZEN}@gateway')).toHaveLength(1)
  expect(dialling('PJSIP/9${SN_CITIZEN}@carrier')).toHaveLength(1)
  expect(dialling('PJSIP/${SN_CITIZEN}@carrier&PJSIP/${X}@carrier')).toHaveLength(1)
})

it('a line that is handed to a Dial is no variable', () => {
  const text = '[a]\nexten => s,1,Gosub(line,s,1(${X}))\n same => n,Hangup()\n[line]\nexten => s,1,Dial(${ARG1},20)\n same => n,Return()'
  expect(lint(new Map([['extensions.conf', text]]), { lines: new Set() }).map(({ line, sentence }) => `${line} ${sentence}`)).toEqual(['2 dials "${X}", which a variable says'])
})

it.each([
    ['System', 'same => n,System(rm -rf /)', '[a]: runs System, which is not among the known applications — it is never allowed'],
    ['its cousins', 'same => n,TrySystem(x)', '[a]: runs TrySystem, which is not among the known applications — it is never allowed'],
    ['an application that runs another', 'same => n,Exec(System(x))', '[a]: runs Exec, which is not among the known applications — it is never allowed'],
    ['System behind a condition', 'same => n,ExecIf($[1]?System(x):NoOp())', '[a]: runs System, which is not among the known applications — it is never allowed'],
    ['a header of the caller\'s', 'same => n,Set(X=${PJSIP_HEADER(read,From)})', '[a]: reads what the caller sent in a header — headers are read where calls come in: [trunk-in], [agencies-in], [told]'],
    ['the names of all', 'same => n,Set(X=${PJSIP_HEADERS()})', '[a]: reads what the caller sent in a header — headers are read where calls come in: [trunk-in], [agencies-in], [told]'],
    ['SHELL', 'same => n,NoOp(${SHELL(id)})', '[a]: uses SHELL(), which is not among the known functions — it is never allowed'],
    ['SHELL inside of another', 'same => n,NoOp(${TOUPPER(${SHELL(id)})})', '[a]: uses SHELL(), which is not among the known functions — it is never allowed'],
    ['SHELL after what only looks like a comment', 'same => n,NoOp(\\; ${SHELL(id)})', '[a]: uses SHELL(), which is not among the known functions — it is never allowed'],
    ['a function that is written', 'same => n,Set(FILE(/etc/x)=1)', '[a]: uses FILE(), which is not among the known functions — it is never allowed'],
    ['a global variable whose name is computed', 'same => n,Set(GLOBAL(SN_${ARG1})=1)', '[a]: sets a variable whose name is computed — name it'],
    ['one that the caller names', 'same => n,Set(GLOBAL(SN_TURN_${CALLERID(num)})=1)', '[a]: sets a variable whose name is computed — name it'],
    ['several at once, one of them computed', 'same => n,MSet(SN_A=1,SN_${ARG1}=2)', '[a]: sets a variable whose name is computed — name it'],
    ['several at once, one of them by a function', 'same => n,MSet(SN_A=1,SHELL(id)=2)', '[a]: uses SHELL(), which is not among the known functions — it is never allowed'],
    ['several at once, with what the caller sent', 'same => n,MSet(SN_A=1,SN_B=${CALLERID(num)})', '[a]: MSet has what the caller sent — a comma in it would begin another variable: write a Set of its own'],
    ['several at once, with what the caller sent, and a comma let through', 'same => n,MSet(SN_A=1,SN_B=${FILTER(0-9*-.,${CALLERID(num)})})', '[a]: MSet has what the caller sent — a comma in it would begin another variable: write a Set of its own'],
    ['several at once, one of them who is rung back', 'same => n,MSet(SN_A=1,SN_CITIZEN=${ARG1})', '[a]: sets SN_CITIZEN — the service alone says who is rung back'],
    ['a function whose name is computed', 'same => n,NoOp(${${X}(id)})', '[a]: has a variable whose name is computed — name it'],
    ['dialling what the caller sent', 'same => n,Dial(PJSIP/${EXTEN}@carrier,20)',
      '[a]: Dial is led by what the caller sent — compare it with what is in the plan, and go to a fixed place',
      '[a]: Dial takes its line from a variable — only lines written out, or the ARGs of a Gosub, may be dialled'],
    ['ringing citizens where nobody is to be rung', 'same => n,Dial(PJSIP/${SN_CITIZEN}@carrier,20)', '[a]: Dial takes its line from a variable — only lines written out, or the ARGs of a Gosub, may be dialled'],
    ['choosing who is rung back', 'same => n,Set(__SN_CITIZEN=${X})', '[a]: sets SN_CITIZEN — the service alone says who is rung back'],
    ['dialling it by way of a variable', 'same => n,Dial(PJSIP/${X}@carrier,20)', '[a]: Dial takes its line from a variable — only lines written out, or the ARGs of a Gosub, may be dialled'],
    ['going where the caller says', 'same => n,Goto(a,${EXTEN},1)', '[a]: Goto is led by what the caller sent — compare it with what is in the plan, and go to a fixed place'],
    ['a context that is not there', 'same => n,Goto(aa,s,1)', '[a]: leads to the context "aa", which does not exist — did you mean "a"?'],
    ['one behind a condition', 'same => n,GotoIf($["${X}" = "?,"]?a,s,ask:b,s,1)', '[a]: leads to the context "b", which does not exist — did you mean "a"?'],
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
  'same => n(ask),Background(a&b)', 'exten => s,2,Hangup\nexten => _X.,1,NoOp()', 'same => n,Set(CALLERID(all)="" <${D:0:20}>)',
  'same => n,GotoIf($[${EPOCH} - 0${SN_BEAT} > 4]?fallback)', 'same => n,Set(D=${FILTER(0-9+,${CALLERID(num)})})',
  'same => n,Stasis(satunomor,inbound,${URIENCODE(${CALLERID(num)})})', 'same => n,NoOp(x) ; ${SHELL(x)} in a comment',
  'same => n,Dial(${ARG3},${ARG4},m(${ARG6})${ARG7})', 'same => n,Goto(s,ask)', 'include => a',
  'same => n,Set(GLOBAL(SN_TURN_${ARG1})=1)', 'same => n,NoOp(${SN_TURN_bpbd-1})'
])('accepted is: %s', line => {
  expect(findings(line)).toEqual([])
})

it('accepted is: what is done after a hang-up, and ends by itself', () => {
  expect(lint(new Map([['extensions.conf', '[a]\nexten => s,1,Hangup()\nexten => h,1,NoOp()\n']]))).toEqual([])
})

describe('the corpus of bad dialplans, each with what is found in it', async () => {
  const folder = join(import.meta.dirname, 'bad')
  for (const file of (await readdir(folder)).sort()) {
    const text = await readFile(join(folder, file), 'utf8')
    it(`${file}: ${text.split('\n')[0]!.slice(2)}`, () => {
      const expected = [...text.matchAll(/^;@ (\d+) (.*)$/gm)].map(([, line, finding]) => `extensions.conf:${line}:1 ${finding}`)
      expect(expected.length).toBeGreaterThan(0)
      expect(lint(new Map([['extensions.conf', text]]), { lines: new Set(['PJSIP/bpbd-1@gateway']) }).map(formatFault)).toEqual(expected)
    })
  }
})

describe('asterisk-config/lint-allow.yaml', () => {
  const dialplan = new Map([['extensions.conf', '[a]\nexten => s,1,SayDigits(${SHA1(x)})\n same => n,Hangup()\n']])
  const allowing = async (text: string) => {
    await using here = await folder({ 'lint-allow.yaml': text })
    return await readAllowed(join(here.path, 'lint-allow.yaml'))
  }

  it('allows more applications and functions; the repository\'s own allows none', async () => {
    expect(lint(dialplan)).toHaveLength(2)
    expect(lint(dialplan, { allow: await allowing('applications: [SayDigits]\nfunctions: [SHA1]\n') })).toEqual([])
    expect(await readAllowed('asterisk-config/lint-allow.yaml')).toEqual({ applications: [], functions: [] })
  })

  it.each([
    ['applications: [System]', 'lint-allow.yaml:1:1 allows System — it is never allowed: take it out'],
    ['functions: SHA1', 'lint-allow.yaml:1:1 functions is no list'],
    ['apps: [X]', 'lint-allow.yaml:1:1 has "apps"'],
    ['applications: ["a b"]', 'which is no name'],
    ['applications: [', 'is not YAML']
  ])('%s is refused', async (text, complaint) => {
    await expect(allowing(text)).rejects.toThrow(complaint)
  })
})

describe('a finding names the template\'s line', async () => {
  const { plan } = readPlan(town, { file: 'plan.yaml' })
  const at = async (template: string) => {
    await using here = await folder({ 'extensions.conf.liquid': template })
    const files = await render(here.path, plan, {})
    return (await traced(lint(files), here.path, plan, {}, files)).map(({ file, line, column, sentence }) => `${file.slice(here.path.length + 1)}:${line}:${column} ${sentence}`)
  }

  it('inside of a loop, after lines that are cut away, once for each time that it is rendered', async () => {
    expect(await at('{% comment %}\nnothing\n{% endcomment %}\n[a]\nexten => s,1,NoOp()\n{%- for menu in menus %}\n  same => n,System({{ menu.name }})\n{%- endfor %}\n same => n,Hangup()\n')).toEqual([
      'extensions.conf.liquid:7:3 runs System, which is not among the known applications (rendered: extensions.conf:5)',
      'extensions.conf.liquid:7:3 runs System, which is not among the known applications (rendered: extensions.conf:6)'
    ])
  })

  it('also where a line is made of several', async () => {
    expect(await at('[a]\nexten => s,1,{% if true -%}\n   System(x)\n{%- endif %}\n same => n,Hangup()\n')).toEqual(['extensions.conf.liquid:2:1 runs System, which is not among the known applications (rendered: extensions.conf:3)'])
  })

  it('where the marks would change what is rendered, the rendered line is named', async () => {
    expect(await at('[a]\n{% capture x %}exten => s,1,System{% endcapture %}{% if x.size == 19 %}exten => s,1,System(x)\n{% endif %} same => n,Hangup()\n')).toEqual([expect.stringContaining('runs System')])
  })
})
