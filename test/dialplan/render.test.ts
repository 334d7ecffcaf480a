/** What templates can say, and what they cannot, whatever the plan holds. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dialledLines } from '../../src/dialplan/dialled.ts'
import { lint, recording } from '../../src/dialplan/lint.ts'
import { render, TemplateFaults } from '../../src/dialplan/render.ts'
import type { Site } from '../../src/dialplan/view.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { town, townWith } from '../plan/town.ts'
import { folder } from './folder.ts'

const { plan } = readPlan(town, { file: 'plan.yaml' })

/** Renders one template and returns what follows the heading. */
async function write(template: string, site: Site = {}): Promise<string> {
  await using templates = await folder({ 'a.conf.liquid': template })
  const files = await render(templates.path, plan, site)
  return files.get('a.conf')!.split('\n').slice(1).join('\n').trimEnd()
}

/** What is said of a template that is refused, without the folder's name. */
async function refused(template: string, site: Site = {}): Promise<string> {
  try {
    return `accepted: ${await write(template, site)}`
  } catch (error) {
    if (!(error instanceof TemplateFaults)) throw error
    return error.message.replaceAll(/^.*(?=a\.conf\.liquid)/gm, '')
  }
}

describe('a template', () => {
  it('is rendered to a file that says where it comes from', async () => {
    await using templates = await folder({ 'extensions.conf.liquid': '[a]\n', 'pjsip.conf.liquid': '{{ site.port }}', 'README': 'x' })
    const files = await render(templates.path, plan, { port: 5060 })
    expect([...files.keys()]).toEqual(['extensions.conf', 'pjsip.conf'])
    expect(files.get('pjsip.conf')).toBe(`; rendered from templates/pjsip.conf.liquid and plan ${plan.version}; do not edit\n5060\n`)
  })

  it('walks the plan', async () => {
    expect(await write('{% for menu in menus %}{{ menu.name }} {{ menu.patience | seconds }}s {% for key in menu.keys %}{{ key.digit }}>{{ key.kind }}-{{ key.to }} {% endfor %}{% endfor %}'))
      .toBe('utama 3s 1>agency-bpbd 2>menu-lain lain 2s 1>agency-bpbd *>menu-utama')
    expect(await write('{% for line in agencies[0].lines %}{{ line.number }}@{{ line.trunk }}{% if line.acceptKey %}+{{ line.acceptKey }}{% endif %} {% endfor %}'))
      .toBe('bpbd-1@gateway 0721556@carrier+1')
    expect(await write('{{ trunks[0].codecs | list }} {{ numbers[0].entryKind }}-{{ numbers[0].entry }}')).toBe('alaw,ulaw menu-utama')
  })

  it('asks whether a key chooses a language', async () => {
    const { plan } = readPlan(townWith(['      2: lain\n', '      2: { language: en }\n']), { file: 'plan.yaml' })
    await using templates = await folder({ 'a.conf.liquid': '{% for key in menus[0].keys %}{{ key.digit }} {{ key.to }}{% if key.language %} {{ key.language }}{% endif %};{% endfor %}' })
    expect((await render(templates.path, plan, {})).get('a.conf')).toContain('1 bpbd;2 utama en;')
  })

  it('knows the mailboxes, and what leads to them', async () => {
    await using templates = await folder({ 'a.conf.liquid': '{% for mailbox in mailboxes %}{{ mailbox.name }} {{ mailbox.agency | default: "-" }} {{ mailbox.prompt }} {{ mailbox.longest | seconds }} {% endfor %}{% for key in menus[0].keys %} {{ key.kind }}-{{ key.to }}{% endfor %}' })
    const { plan } = readPlan(townWith(['      2: lain\n', '      2: lain\n      3: pesan\n'], ['prompts:\n', 'mailboxes:\n  pesan: {}\n  kedua: { agency: posko, longest: 2 min }\nprompts:\n']), { file: 'plan.yaml' })
    expect((await render(templates.path, plan, {})).get('a.conf')!.split('\n')[1]!.trim()).toBe('pesan - tinggalkan-pesan 60 kedua posko tinggalkan-pesan 120  agency-bpbd menu-lain mailbox-pesan')
  })

  it('knows in which order lines ring, and by which trunks', async () => {
    const orders = townWith(['    name: BPBD\n', '    name: BPBD\n    order: all-at-once\n'], ['{ id: bpbd-1, trunk: gateway,', '{ id: bpbd-1, trunks: [gateway, carrier], priority: 2,'],
      ['port: 5070', 'qualify: 30 s, channels: 4'], ['  posko:\n', '      - { id: bpbd-3, trunk: gateway, number: bpbd-3 }\n  posko:\n'])
    await using templates = await folder({ 'a.conf.liquid': '{% for group in agencies[0].groups %}{{ group.priority }} {{ group.order }} {% for line in group.lines %}{{ line.id }} {% for trunk in line.trunks %}{{ trunk.name }}/{{ trunk.channels | default: 0 }} {% endfor %}{% endfor %}{% endfor %}' })
    const files = await render(templates.path, readPlan(orders, { file: 'plan.yaml' }).plan, {})
    expect(files.get('a.conf')).toContain('\n1 all-at-once bpbd-2 carrier/0 bpbd-3 gateway/4 2 in-turn bpbd-1 gateway/4 carrier/0')
  })

  it('knows the human of a number, who is there at any hour', async () => {
    const hours = townWith(['    name: BPBD\n', '    name: BPBD\n    hours: kantor\n    closed: posko\n'], ['prompts:\n', 'hours:\n  kantor: [{ days: [mon], from: 08:00, to: 16:00 }]\nprompts:\n'])
    await using templates = await folder({ 'a.conf.liquid': '{% for number in numbers %}{{ number.did }} {{ number.entry }} {{ number.human }} {% endfor %}' })
    const files = await render(templates.path, readPlan(hours, { file: 'plan.yaml' }).plan, {})
    expect(files.get('a.conf')).toContain('\n112 utama posko +62721555 bpbd posko')
  })

  it('writes names for people in comments', async () => {
    expect(await write('; {{ agencies[1].name | comment }}')).toBe('; Posko (desk)')
    expect(await write(';{{ site.x | comment }}', { x: '--;a\nexten => s,1,System(x)' })).toBe(';,a exten => s,1,System(x)')
  })

  it.each([
    ['a word that is not there', '\n {{ menus[0].greting }}', '2:5 menus[0].greting: undefined variable: menus.0.greting — src/dialplan/view.ts lists what a template sees; did you mean "greeting"?'],
    ['a value that means something to Asterisk', '[x]\n{{ agencies[1].name }}', '2:1 {{ agencies[1].name }}: is "Posko (desk)", and "(" may mean something to Asterisk — change it in the plan; in a comment, write it with "| comment"'],
    ['a value that is not there', '{{ menus[1].greeting }}', '1:1 {{ menus[1].greeting }}: has no value — ask {% if … %} whether it is there'],
    ['a whole list', '{{ languages }}', '1:1 {{ languages }}: is a list or has parts — go through it with {% for … %}, or name the part'],
    ['| comment outside of a comment', 'a={{ city | comment }}', '1:3 {{ city | comment }}: is written with "| comment" outside of a comment — it may stand only after a ;'],
    ['| seconds of a text', '{{ city | seconds }}', '1:1 {{ city | seconds }}: is no time — "| seconds" takes a time of the plan'],
    ['| raw', '{{ city | raw }}', '1:1 {{ city | raw }}: undefined filter: raw'],
    ['another file', '{% include "/etc/passwd" %}', '1:1 {% include "/etc/passwd" %}: tag "include" not found'],
    ['another template', '{% render "../x" %}', '1:1 {% render "../x" %}: tag "render" not found'],
    ['a way around the check', '{% cycle city %}', '1:1 {% cycle city %}: tag "cycle" not found'],
    ['what objects inherit', '{{ site.constructor }}', '1:4 site.constructor: undefined variable: site.constructor — src/dialplan/view.ts lists what a template sees'],
    ['a tag that does not end', '{% for x in menus %}', '1:1 {% for x in menus %}: tag {% for x in menus %} not closed'],
    ['an endless loop', '{% for x in (1..100000000) %}a{% endfor %}', '1:1 {% for x in (1..100000000) %}: memory alloc limit exceeded']
  ])('is refused for %s', async (_, template, message) => {
    expect(await refused(template)).toBe(`a.conf.liquid:${message}`)
  })

  it('is told everything at once', async () => {
    expect((await refused('{{ a }}\n{{ city | raw }}')).split('\n')).toHaveLength(1)  // what cannot be parsed is not rendered
    expect((await refused('{{ a }}\n{{ agencies[1].name }}\n{{ b }}')).split('\n')).toHaveLength(3)
  })
})

describe('whatever the plan holds', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.array(fc.constantFrom(';', '--', ';--', '--;', '\n', '\r', '\u2028', '${', '}', '(', ')', ',', '#exec ', '[', ']', '\\', '&', 'a', ' '), { maxLength: 6 }).map(parts => parts.join(''))
  )

  it('a value stands there as it is, or not at all', async () => {
    await fc.assert(fc.asyncProperty(hostile, async x => {
      const text = await refused('same => n,NoOp({{ site.x }})', { x })
      if (text.startsWith('accepted: ')) expect(text).toBe(`accepted: same => n,NoOp(${x})`)
      if (/[;,\n\r(){}[\]$&"'\\<>=|!]/.test(x)) expect(text).not.toMatch(/^accepted/)
    }), { numRuns: 200 })
  }, 30_000)

  it('a comment stays one comment on one line', async () => {
    await fc.assert(fc.asyncProperty(hostile, async x => {
      const text = await write(';{{ site.x | comment }}|', { x })
      expect(text.slice(1)).not.toMatch(/[;\n\r\u2028\u2029]|--/)
      expect(text).not.toMatch(/^;-/)
    }), { numRuns: 200 })
  }, 30_000)
})

describe('our own templates, for lines', async () => {
  const text = townWith(['    name: BPBD\n', '    name: BPBD\n    order: longest-idle\n'], ['{ id: bpbd-1, trunk: gateway,', '{ id: bpbd-1, trunks: [gateway, carrier],'],
    ['port: 5070', 'qualify: 7.5 s, channels: 4'], ['    name: Posko (desk)\n', '    name: Posko (desk)\n    order: all-at-once\n'],
    ['number: posko-1 }\n', 'number: posko-1 }\n      - { id: posko-2, trunk: gateway, number: posko-2, priority: 2 }\n      - { id: posko-3, trunk: gateway, number: posko-3, acceptKey: 7 }\n'])
  const { plan } = readPlan(text, { file: 'plan.yaml' })
  const files = await render('dialplan/templates', plan, { address: '127.0.0.1', port: 5060, sounds: '/sounds' })
  const context = (name: string) => files.get('extensions.conf')!.split(`\n[${name}]\n`)[1]!.split('\n\n')[0]!.split('\n').map(line => line.trim())

  it('have nothing in them that the lint finds, with the plan\'s lines by every trunk', () => {
    expect(lint(files, { elsewhere: ['last-resort'], lines: dialledLines(plan), callbacks: 'carrier' }).map(formatFault)).toEqual([])
    expect(lint(files, { elsewhere: ['last-resort'], lines: dialledLines(plan).difference(new Set(['PJSIP/bpbd-1@carrier', 'PJSIP/posko-3@gateway'])), callbacks: 'carrier' }).map(({ sentence }) => sentence))
      .toEqual(['dials "PJSIP/bpbd-1@carrier", which is no line of the plan', 'dials "PJSIP/posko-3@gateway", which is no line of the plan'])
  })

  it.each([
    ['five minutes, where nobody is on the way for longer', [], 300],
    ['where they wait, and then for who helps out, than all of that', [['    name: BPBD\n', '    name: BPBD\n    wait: { longest: 20 min, every: 20 s }\n    overflow: { busy: posko }\n']], (65 + 1200 + 20 + 65) + 20 + 120],
    ['also where only a closed agency leads there', [
      ['    name: BPBD\n', '    name: BPBD\n    wait: { longest: 60 min }\n'],
      ['prompts:\n', '  kantor: { name: Kantor, connecting: sambung, hours: siang, closed: bpbd, lines: [{ id: kantor-1, trunk: gateway, number: "3" }] }\nhours: { siang: [{ days: [mon], from: 08:00, to: 16:00 }] }\nprompts:\n']
    ], 20 + (65 + 3600 + 20 + 65) + 20 + 120]          // whose number holds a line when it is their turn goes to the desk
  ] as [string, [string, string][], number][])('no sound may come from a caller for longer than %s', async (_, edits, most) => {
    const { plan } = readPlan(townWith(...edits), { file: 'plan.yaml' })
    const text = (await render('dialplan/templates', plan, { address: '127.0.0.1', port: 5060, sounds: '/var/lib/sounds' })).get('pjsip.conf')!
    expect(text.match(/^rtp_timeout.*/gm)).toEqual(['carrier', 'gateway'].flatMap(() => [`rtp_timeout = ${most}`, `rtp_timeout_hold = ${Math.max(most, 3600)}`]))
  })

  it('have a mailbox take its message into a file that Asterisk alone names, with or without the service', async () => {
    const { plan } = readPlan(townWith(['      2: lain\n', '      2: lain\n      3: pesan\n'], ['prompts:\n', 'mailboxes: { pesan: { agency: posko, longest: 90 s } }\nprompts:\n']), { file: 'plan.yaml' })
    const text = (await render('dialplan/templates', plan, { address: '127.0.0.1', port: 5060, sounds: '/var/lib/sounds' })).get('extensions.conf')!
    expect(text).toContain('[mailbox-pesan]\nexten => s,1,CELGenUserEvent(MAILBOX,pesan posko)\n')
    expect(text).toContain(' same => n,Gosub(record,s,1(pesan,90))\n')
    expect(text).toContain(`\n same => n,Record(${recording},5,\${ARG2},qk)\n`)
    expect(text).toContain('exten => 3,1,CELGenUserEvent(KEY,utama 3 pesan)\n same => n,Goto(mailbox-pesan,s,1)\n')
    expect(files.get('extensions.conf')).not.toContain('Record(')
  })

  it('ring the line first that has been free longest', () => {
    expect(context('agency-bpbd').slice(1, 6)).toEqual([
      'same => n,Set(GROUP(at)=${IF($[${LEN(${SN_DIGITS})} > 6]?bpbd-${SN_DIGITS:-9})})',
      'same => n,GotoIf($[${GROUP_COUNT(bpbd-${SN_DIGITS:-9}@at)} > 1]?sameNumber)',
      'same => n,Set(SN_ORDER=${SORT(bpbd-1:0${SN_TURN_bpbd-1}.101,bpbd-2:0${SN_TURN_bpbd-2}.102)})',
      'same => n,Gosub(one-of-bpbd,s,1(m(agency-bpbd-${CHANNEL(language)}),,${SHIFT(SN_ORDER)}))',
      'same => n,Gosub(one-of-bpbd,s,1(m(${IF(${REGEX("^(BUSY|FULL)$" ${SN_STATUS})}?next-line:connecting)}-${CHANNEL(language)}),,${SHIFT(SN_ORDER)}))'
    ])
  })

  it('count the calls of one number at an agency, without those of numbers that the plan excepts, and not at all where it says so', async () => {
    const agencyOf = async (sameNumber: string) => {
      const { plan } = readPlan(`${text}sameNumber: ${sameNumber}\n`, { file: 'plan.yaml' })
      const files = await render('dialplan/templates', plan, { address: '127.0.0.1', port: 5060, sounds: '/sounds' })
      expect(lint(files, { elsewhere: ['last-resort'], lines: dialledLines(plan), callbacks: 'carrier' }).map(formatFault)).toEqual([])
      return files.get('extensions.conf')!.split('\n[agency-bpbd]\n')[1]!.split('\n\n')[0]!
    }
    expect(await agencyOf('{ calls: 3, except: ["+62721555000", "0721555001"] }')).toContain('& ${REGEX("(721555000|721555001)$" ${SN_DIGITS})} = 0]?bpbd-')
    expect(await agencyOf('{ calls: 3 }')).toContain('@at)} > 3]?sameNumber)')
    expect(await agencyOf('{ calls: 0 }')).not.toMatch(/@at|SAME_NUMBER/)
  })

  it('ring all of the first priority at once, then the next', () => {
    expect(context('agency-posko').slice(3, 5)).toEqual([
      'same => n,Gosub(at-once,s,1(posko,Local/together@line-posko-1/n&Local/together@line-posko-3/n,m(agency-posko-${CHANNEL(language)})))',
      'same => n,Gosub(line-posko-2,s,1(m(connecting-${CHANNEL(language)})))'
    ])
    expect(context('line-posko-2').some(line => line.includes('together'))).toBe(false)
  })

  it('try a line by its trunks in order, with the most calls on each', () => {
    expect(context('line-bpbd-1')).toEqual([
      'exten => s,1,MSet(CHANNEL(accountcode)=bpbd/bpbd-1,CHANNEL(peeraccount)=bpbd/bpbd-1,CHANNEL(musicclass)=hold-${CHANNEL(language)},SN_LINE=bpbd bpbd-1,SN_CAUSE=17,SN_STATUS=CHANUNAVAIL,GROUP(line)=bpbd-1,GROUP(hunt)=${SN_TAIL})',
      'same => n,GotoIf($[${GROUP_COUNT(bpbd-1@line)} > 1]?full)',
      'same => n,CELGenUserEvent(LINE,bpbd bpbd-1 4000)',
      'same => n,Gosub(ring,s,1(bpbd,bpbd-1,PJSIP/bpbd-1@gateway,20.2^12,gateway,4,${ARG1}${IF(${LEN(${ARG2})}?${ARG2}:gU(picked-up))}))',
      'same => n,Gosub(ring,s,1(bpbd,bpbd-1,PJSIP/bpbd-1@carrier,20.2^12,carrier,0,${ARG1}${IF(${LEN(${ARG2})}?${ARG2}:gU(picked-up))}))',
      'same => n,Goto(tried,s,1)',
      'same => n(full),Set(SN_STATUS=FULL)',
      'same => n,Goto(tried,s,1)'
    ])
    expect(files.get('pjsip.conf')!.match(/qualify_frequency = .*/g)).toEqual(['qualify_frequency = 0', 'qualify_frequency = 8'])
  })
})
