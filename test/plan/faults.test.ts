/** What an admin reads when the plan is wrong: every fault at once, each with its place and a way out. */
import { describe, expect, it } from 'vitest'
import { formatFault, PlanFaults } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { town, townPrompts, townWith } from './town.ts'

const read = (text: string | Uint8Array) => readPlan(text, { file: 'plan.yaml', prompts: townPrompts })

function refusal(text: string | Uint8Array): string {
  try {
    read(text)
  } catch (error) {
    if (error instanceof PlanFaults) return error.message
    throw error
  }
  return 'accepted'
}

type Edit = [from: string, to: string]
const stories: [story: string, edits: Edit[], ...faults: string[]][] = [
  ['a key that leads nowhere', [['2: lain', '2: lian']],
    '16:7 menus.utama.keys.2: leads to "lian", which is no menu or agency — did you mean "lain"?'],
  ['a key that goes on nowhere in another language', [['2: lain', '2: { language: en, to: lian }']],
    '16:26 menus.utama.keys.2.to: leads to "lian", which is no menu or agency — did you mean "lain"?'],
  ['a key for a language that the city does not speak', [['2: lain', '2: { language: eng, to: lain }']],
    '16:12 menus.utama.keys.2.language: "eng" is not among the languages — did you mean "en"?'],
  ['a key that says nothing', [['2: lain', '2: {}']],
    '16:7 menus.utama.keys.2: says neither where the key leads nor in which language — write the node, or { language: en }'],
  ['a key that leads to a list', [['2: lain', '2: [lain]']],
    '16:7 menus.utama.keys.2: must be a text, not a list'],
  ['a number that begins nowhere', [['entry: utama', 'entry: utma']],
    '8:26 numbers.112.entry: leads to "utma", which is no menu or agency — did you mean "utama"?'],
  ['silence that leads nowhere', [['silence: posko', 'silence: kantor']],
    '17:5 menus.utama.silence: leads to "kantor", which is no menu or agency — there are utama, lain, bpbd, posko'],
  ['a line on no trunk', [['trunk: carrier', 'trunk: carier']],
    '31:23 agencies.bpbd.lines.1.trunk: "carier" is no trunk — did you mean "carrier"?'],

  ['a webhook that anybody could read', [['    name: BPBD\n', '    name: BPBD\n    webhook: { url: "http://opd.example.go.id/x" }\n']],
    '28:16 agencies.bpbd.webhook.url: "http://opd.example.go.id/x" is neither https:// nor http:// on this machine (127.0.0.0/8) — as in "https://opd.example.go.id/satunomor"'],
  ['a webhook that leads to a cloud\'s metadata', [['    name: BPBD\n', '    name: BPBD\n    webhook: { url: "https://169.254.169.254/x" }\n']],
    '28:16 agencies.bpbd.webhook.url: "https://169.254.169.254/x" is an address that no receiver can have — as in "https://opd.example.go.id/satunomor"'],
  ['a webhook with an event that there is not', [['    name: BPBD\n', '    name: BPBD\n    webhook: { url: "https://opd.example.go.id/x", events: [call.ringing, call.rung] }\n']],
    '28:75 agencies.bpbd.webhook.events.1: is "call.rung"; it must be one of call.ringing, call.claimed, call.connected, call.ended, call.abandoned, followup.opened, followup.closed, heartbeat'],

  ['a misspelt word', [['greeting:', 'greting:']],
    '12:5 menus.utama.greting: is not a known key — did you mean "greeting"?'],
  ['a word that nobody knows', [['greeting:', 'holidays:']],
    '12:5 menus.utama.holidays: is not a known key — known are greeting, prompt, patience, tries, keys, silence, wrongKey'],
  ['something left out', [['    connecting: sambung\n    lines', '    lines']],
    '26:3 agencies.bpbd.connecting: is missing — it must be a name of at most 40 small letters, digits and hyphens: the prompt\'s file name without .txt'],
  ['something left empty', [['city: Kota Kecil', 'city:']],
    '1:1 city: is empty — it must be a text of 1 to 80 letters on one line'],
  ['a list where a menu belongs', [['  utama:\n', '  utama: []\n  utama2:\n']],
    '11:3 menus.utama: must have keys and values, not a list'],
  ['a prototype, smuggled', [['city:', '__proto__: { x: y }\ncity:']],
    '1:1 __proto__: is not a known key — known are city, timezone, languages, areaCode, trunks, numbers, menus, agencies, mailboxes, hours, seasons, holidays, exceptions, siaga, directory, rooms, silentTalk, spoken, lastChoice, sameNumber, prompts, offerKeys, followups, retention, apply'],

  ['a time without a unit', [['1.5 s', '20']],
    '20:5 menus.lain.patience: is "20"; it must be a time with its unit, as in "20 s", "500 ms" or "2 min"'],
  ['ringing for ever', [['30 s', '5 min']],
    '31:72 agencies.bpbd.lines.1.ringTime: is 5 min; it must be between 5 s and 2 min'],
  ['a port that is none', [['5070', '99999']], '6:50 trunks.gateway.port: is 99999; it must be between 1 and 65535'],
  ['a port in words', [['5070', 'many']], '6:50 trunks.gateway.port: is "many"; it must be a whole number'],
  ['a codec that is none', [['[ulaw]', '[ulow]']],
    '6:71 trunks.gateway.codecs.0: is "ulow"; it must be one of alaw, ulaw, g722 — did you mean "ulaw"?'],
  ['an address that is none', [['127.0.0.3', '127.0.0.300']],
    '6:30 trunks.gateway.address: is "127.0.0.300"; it must be an IPv4 address, as in "127.0.0.2"'],
  ['two accept keys at once', [['acceptKey: 1', 'acceptKey: 12']],
    '31:58 agencies.bpbd.lines.1.acceptKey: is "12"; it must be one digit'],
  ['a key that no telephone has', [['2: lain', '12: lain']],
    '16:7 menus.utama.keys.12: "12" must be a key of a telephone: 0 to 9, "*" or "#"'],
  ['a DID with hyphens', [['"112"', '"1-1-2"']],
    '8:3 numbers.1-1-2: "1-1-2" must be a telephone number: digits, with a + before them at most'],
  ['a name that a dialplan cannot hold', [['  lain:\n', '  Lain Lagi:\n'], ['2: lain', '2: Lain Lagi']],
    '18:3 menus.Lain Lagi: "Lain Lagi" must be a name of at most 40 small letters, digits and hyphens'],
  ['a prompt that climbs out of its folder', [['prompt: menu-lain', 'prompt: ../secret']],
    '19:5 menus.lain.prompt: is "../secret"; it must be a name of at most 40 small letters, digits and hyphens: the prompt\'s file name without .txt'],
  ['an agency name of two lines', [['BPBD', '"BP\\nBD"']],
    '27:5 agencies.bpbd.name: is "BP\\nBD"; it must be a text of 1 to 80 letters on one line'],
  ['a line\'s number that says more', [['number: posko-1', 'number: "posko-1&x"']],
    '37:40 agencies.posko.lines.0.number: is "posko-1&x"; it must be a telephone number, or a name of at most 40 letters, digits, dots, hyphens and underscores'],

  ['a line abroad', [['"0721556"', '"0014155550100"']],
    '31:39 agencies.bpbd.lines.1.number: "0014155550100" may not be dialled: it begins with a prefix for calls abroad (00, 001, 007) — write a number of Indonesia, as in "+62721…", or the name of an endpoint'],
  ['a line abroad, with a plus', [['"0721556"', '"+14155550100"']],
    '31:39 agencies.bpbd.lines.1.number: "+14155550100" may not be dialled: it is abroad (only +62 is dialled) — write a number of Indonesia, as in "+62721…", or the name of an endpoint'],
  ['a line abroad, in disguise', [['"0721556"', '00-1415-5550100']],
    '31:39 agencies.bpbd.lines.1.number: "00-1415-5550100" may not be dialled: a telephone number is written in digits alone — write a number of Indonesia, as in "+62721…", or the name of an endpoint'],
  ['a premium line', [['"0721556"', '"+628091234"']],
    '31:39 agencies.bpbd.lines.1.number: "+628091234" may not be dialled: it is a premium number (0809) — write a number of Indonesia, as in "+62721…", or the name of an endpoint'],
  ['a line that is ourselves', [['"0721556"', '0721555']],
    '31:39 agencies.bpbd.lines.1.number: "0721555" is our own number — a call to it would come back to us'],

  ['two lines of one name', [['id: posko-1', 'id: bpbd-1']],
    '37:11 agencies.posko.lines.0.id: "bpbd-1" is the id of a line of bpbd too — every line has an id of its own'],
  ['one line given twice', [['number: posko-1', 'number: bpbd-1']],
    '37:40 agencies.posko.lines.0.number: "bpbd-1" on gateway is a line of bpbd already — for one telephone of two agencies, which share its capacity, write { line: bpbd-1 } here'],
  ['an agency without lines', [['    lines:\n      - { id: posko-1, trunk: gateway, number: posko-1 }', '    lines: []']],
    '36:5 agencies.posko.lines: is an empty list — it needs at least one entry'],
  ['a menu and an agency of one name', [['  posko:\n', '  utama:\n'], ['silence: posko', 'silence: bpbd']],
    '32:3 agencies.utama: is the name of a menu too — a node has one name of its own; rename one of them'],
  ['silence that goes round in a circle', [['silence: posko', 'silence: lain']],
    '17:5 menus.utama.silence: never reaches an agency (utama → lain → utama) — who presses nothing must end at a human'],
  ['two trunks at one address', [['127.0.0.3', '127.0.0.2']],
    '6:30 trunks.gateway.address: 127.0.0.2 is the address of "carrier" too — trunks are told apart by their address alone'],
  ['a trunk named as a section that is there already', [['  gateway:', '  last-resort:'], ['{ id: bpbd-1, trunk: gateway', '{ id: bpbd-1, trunk: last-resort'], ['{ id: posko-1, trunk: gateway', '{ id: posko-1, trunk: last-resort']],
    '6:3 trunks.last-resort: is a section of asterisk-config/pjsip.conf already: Asterisk would load no trunk at all — give it another name'],
  ['two agencies that differ in hyphens', [['  posko:\n', '  b-pbd:\n'], ['silence: posko', 'silence: b-pbd']],
    '32:3 agencies.b-pbd: differs from "bpbd" in hyphens alone, which Asterisk passes over: a callback for one would ring the other — give it another name'],
  ['an agency whose lines would ring at each hang-up', [['  posko:\n', '  h:\n'], ['silence: posko', 'silence: h']],
    '32:3 agencies.h: means something of its own to Asterisk — give it a longer name'],
  ['the same, with hyphens', [['  posko:\n', '  t-:\n'], ['silence: posko', 'silence: t-']],
    '32:3 agencies.t-: means something of its own to Asterisk, which passes over hyphens — give it a longer name'],
  ['an agency of hyphens alone', [['  posko:\n', '  "--":\n'], ['silence: posko', 'silence: "--"']],
    '32:3 agencies.--: means something of its own to Asterisk, which passes over hyphens — give it a longer name'],
  ['nobody to bring calls', [['role: carrier', 'role: agencies']],
    '4:1 trunks: has no trunk with role carrier — without one no citizen can call'],
  ['nothing to dial', [['  "112": { language: id, entry: utama }\n  "+62721555": { entry: bpbd }\n', '  {}\n']],
    '7:1 numbers: has no number — citizens need one to dial'],

  ['a number in a language that the city does not speak', [['language: id', 'language: su']],
    '8:12 numbers.112.language: "su" is not among the languages — there are id, en'],
  ['a byte order mark in the middle', [['languages:', '\uFEFFlanguages:']], '3:1 has a control character (U+FEFF) — delete it'],
  ['a language that nobody speaks', [['[id, en]', '[id, en, zq]']],
    '3:21 languages.2: "zq" is not a known language — as in "id" or "en"',
    '3:21 languages.2: has no prompts in "zq" — write them in prompts/zq, or take the language out'],
  ['a time zone that is none', [['Asia/Jakarta', 'Asia/Jakata']],
    '2:1 timezone: "Asia/Jakata" is not a known time zone — did you mean "Asia/Jakarta"?'],
  ['a time zone as Indonesia calls it', [['Asia/Jakarta', 'WIB']],
    '2:1 timezone: "WIB" is not a known time zone — did you mean "Asia/Jakarta"?'],
  ['another limit for the first menu without its reason', [['languages:', 'lastChoice: { within: 15 s }\nlanguages:']], '3:1 lastChoice.why: is missing — it must be a text of 1 to 80 letters on one line'],
  ['a time zone by its city alone', [['Asia/Jakarta', 'jayapura']],
    '2:1 timezone: "jayapura" is not a known time zone — did you mean "Asia/Jayapura"?'],
  ['a time zone that is an offset, and knows no city', [['Asia/Jakarta', '+07:00']],
    '2:1 timezone: "+07:00" is not a known time zone — as in "Asia/Jakarta"'],
  ['a language twice', [['[id, en]', '[id, id]']], '3:17 languages.1: "id" is listed twice — delete one of the two'],
  ['a list where one value belongs', [['tries: 3', 'tries: [3]']], '21:5 menus.lain.tries: must be a whole number, not a list'],
  ['one value where a list belongs', [['[id, en]', 'id']], '3:1 languages: must be a list, not a single value'],
  ['a number in words', [['tries: 3', 'tries: tiga']], '21:5 menus.lain.tries: is "tiga"; it must be a whole number'],
  ['one line given twice, in two spellings', [['trunk: gateway, number: posko-1', 'trunk: carrier, number: "+62721556"']],
    '37:40 agencies.posko.lines.0.number: "+62721556" on carrier is a line of bpbd already — for one telephone of two agencies, which share its capacity, write { line: bpbd-2 } here'],
  ['a prompt without a text', [['prompt: menu-lain', 'prompt: menu-lian']],
    '19:5 menus.lain.prompt: the prompt "menu-lian" has no text in id, en — write prompts/id/menu-lian.txt, prompts/en/menu-lian.txt; did you mean "menu-lain"?'],
  ['an accept prompt without a text', [['  sorry: maaf\n', '  sorry: maaf\n  accept: terima\n']],
    '42:3 prompts.accept: the prompt "terima" has no text in id, en — write prompts/id/terima.txt, prompts/en/terima.txt'],

  ['a key given twice', [['2: lain', '1: lain']], '16:7 "1" stands here a second time — delete one of the two, or rename it'],
  ['a key given twice, once in quotes', [['2: lain', '"1": lain']], '16:7 "1" stands here a second time — delete one of the two, or rename it'],
  ['a star without quotes', [['"*": utama', '*: utama']], '22:22 has a bare * — write the key in quotes: "*"'],
  ['an anchor', [['BPBD', '&x BPBD']], '27:14 has an anchor (&x) — a plan has none; write the value out where it is needed'],
  ['a tag', [['BPBD', '!js BPBD']], '27:11 has a tag that is not known — delete it; a text that begins with ! needs quotes'],
  ['a tab', [['  posko:', '\tposko:']], '32:1 is indented with a tab — use spaces'],
  ['two documents', [['agencies:', '---\nagencies:']], '25:1 begins a second document — delete the line ---'],
  ['a control character', [['BPBD', 'BP\u0007BD']], '27:13 has a control character (U+0007) — delete it'],
  ['a quote that does not end', [['name: BPBD', 'name: "BPBD']],
    '27:16 is not YAML: Missing closing "quote — look at the indentation, quotes and brackets here and just above'],

  ['several at once, in the order of the file', [['sorry: maaf-posko', 'sory: x'], ['role: carrier', 'role: carier'], ['2: lain', '2: lian']],
    '5:14 trunks.carrier.role: is "carier"; it must be one of carrier, agencies — did you mean "carrier"?',
    '16:7 menus.utama.keys.2: leads to "lian", which is no menu or agency — did you mean "lain"?',
    '35:5 agencies.posko.sory: is not a known key — did you mean "sorry"?']
]

describe('a plan is refused for', () => {
  it.each(stories)('%s', (_, edits, ...faults) => {
    expect(refusal(townWith(...edits))).toBe(faults.map(fault => `plan.yaml:${fault}`).join('\n'))
  })

  it('a name among more than twelve: the list says how many more there are', () => {
    const menus = Array.from({ length: 13 }, (_, n) => `  layanan-${n}: { prompt: menu-lain, keys: { 1: bpbd }, silence: posko }\n`).join('')
    expect(refusal(townWith(['menus:\n', `menus:\n${menus}`], ['2: lain', '2: x']))).toMatch(/leads to "x", which is no menu or agency — there are (layanan-\d+, ){12}and \d more$/)
  })

  it('being empty, or no plan at all', () => {
    expect(refusal('')).toBe('plan.yaml:1:1 must have keys and values, not nothing')
    expect(refusal('hello')).toBe('plan.yaml:1:1 must have keys and values, not a single value')
  })

  it('bytes that are not UTF-8', () => {
    const bytes = Buffer.from(town)
    bytes[bytes.indexOf('BPBD')] = 0xff
    expect(refusal(bytes)).toBe('plan.yaml:27:1 is not UTF-8 text — save it as UTF-8')
  })

  it('its sheer size', () => {
    expect(refusal(town + '# '.repeat(70_000))).toBe('plan.yaml:1:1 is larger than 128 KiB — no service plan is; is it the right file?')
  })

  it('a billion laughs, without laughing', () => {
    const laughs = Array.from({ length: 30 }, (_, n) => `k${n}: &a${n} [${`*a${n - 1}, `.repeat(9)}x]`).join('\n')
    const before = performance.now()
    expect(refusal(laughs)).toContain('has an anchor (&a0)')
    expect(performance.now() - before).toBeLessThan(2000)
  })

  it('being nested a hundred thousand deep', () => {
    expect(refusal('['.repeat(100_000))).toContain('is nested too deeply')
  })
})

it('each fault says what to do about it, or what must stand there', () => {
  for (const [story, edits] of stories) {
    try {
      read(townWith(...edits))
    } catch (error) {
      for (const fault of (error as PlanFaults).faults) expect([story, fault.sentence, fault.suggestion ?? /must be|must have/.test(fault.sentence)]).toEqual([story, expect.any(String), expect.toSatisfy(Boolean)])
    }
  }
})

it('a prompt that one language alone lacks is told, with that language', () => {
  const prompts = new Map([...townPrompts].map(([language, names]) => [language, new Map([...names].filter(([name]) => language !== 'en' || name !== 'menu-lain'))]))
  expect(() => readPlan(town, { file: 'plan.yaml', prompts })).toThrow('plan.yaml:19:5 menus.lain.prompt: the prompt "menu-lain" has no text in en — write prompts/en/menu-lain.txt')
})

describe('a plan is accepted, with a warning, when', () => {
  it('no key leads to a menu any more', () => {
    const { faults } = read(townWith(['2: lain', '2: posko']))
    expect(faults.map(formatFault)).toEqual(['plan.yaml:18:3 menus.lain: (warning) is reached by no number and no key — give it a key of a menu, or delete it'])
  })

  it('no key leads to an agency any more', () => {
    const { faults } = read(townWith(['silence: posko', 'silence: bpbd']))
    expect(faults).toMatchObject([{ severity: 'warning', line: 32, path: 'agencies.posko', sentence: 'is reached by no number and no key', suggestion: 'give it a key of a menu, or delete it' }])
  })
})
