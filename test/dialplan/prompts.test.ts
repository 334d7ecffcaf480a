/** From the admin's texts and recordings to what callers hear. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { durations, firstChoice } from '../../src/dialplan/length.ts'
import { catalogue } from '../../src/dialplan/prompts.ts'
import { recordingFault } from '../../src/dialplan/recording.ts'
import { ToolFailed, type Run } from '../../src/dialplan/run.ts'
import { speak, synthesise, type Progress } from '../../src/dialplan/synthesise.ts'
import { seconds } from '../../src/plan/duration.ts'
import { formatFault } from '../../src/plan/faults.ts'
import { readPlan } from '../../src/plan/read.ts'
import { town, townWith } from '../plan/town.ts'
import { folder } from './folder.ts'
import { toolsInRoot } from '../../src/prepare.ts'

/** Stands in for espeak-ng and sox: a tenth of a second for every letter. Counts how many run at once. */
function tools() {
  const seen = { spoken: [] as string[], atOnce: 0 }
  let running = 0
  const run: Run = async (command, _, { input }) => {
    seen.atOnce = Math.max(seen.atOnce, ++running)
    await new Promise(resolve => setTimeout(resolve, 1))
    running--
    const text = input.toString().trim()
    if (command === 'espeak-ng') seen.spoken.push(text)
    return command === 'espeak-ng' ? Buffer.from(text) : Buffer.alloc(text.length * 800)
  }
  return { run, seen }
}

/** A WAV file of PCM with 16 bits. @param channels the samples of each, -1 to 1 */
function wav(...channels: number[][]): Buffer {
  const data = Buffer.alloc(channels[0]!.length * channels.length * 2)
  channels.forEach((samples, channel) => samples.forEach((sample, at) => data.writeInt16LE(Math.round(sample * 32767), (at * channels.length + channel) * 2)))
  const head = Buffer.alloc(44)
  head.write('RIFF\0\0\0\0WAVEfmt ', 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(channels.length, 22)
  head.writeUInt32LE(8000, 24)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(data.length, 40)
  return Buffer.concat([head, data])
}
const tone = (loud = 0.3) => Array.from({ length: 4000 }, (_, at) => Math.max(-1, Math.min(1, loud * Math.sin(at / 3))))

describe('a recording', () => {
  const unknown = wav(tone())
  unknown.writeUInt32LE(0xffffffff, 40)
  it.each<[string, Buffer, string | undefined]>([
    ['that is fit', wav(tone()), undefined],
    ['in stereo', wav(tone(), tone(0.2)), undefined],
    ['of a program that did not know its length', unknown, undefined],
    ['in A-law, which sox reads', Buffer.concat([wav(tone()).subarray(0, 20), Buffer.from([6]), wav(tone()).subarray(21)]), undefined],
    ['that is no WAV file', Buffer.from('ID3...'), 'error: is no WAV file but an MP3'],
    ['that is nothing at all', Buffer.alloc(0), 'error: is no WAV file'],
    ['without sound', wav(tone()).subarray(0, 36), 'error: is a WAV file without sound'],
    ['that is cut', wav(tone()).subarray(0, 4000), 'error: is cut: 8000 bytes of sound are said to be there, and 3956 are'],
    ['that is silent', wav(tone(0)), 'error: is silent'],
    ['whose channels cancel each other out', wav(tone(), tone().map(sample => -sample)), 'error: has channels that cancel each other out: callers would hear nothing'],
    ['that is too loud', wav(tone(3)), 'warning: is too loud: 78.3 % of it is cut off at full scale, and sounds harsh']
  ])('%s', (_, file, expected) => {
    const fault = recordingFault(file)
    expect(fault && `${fault.severity}: ${fault.sentence}`).toBe(expected)
  })
})

describe('the catalogue', () => {
  it('refuses a text that is not UTF-8, and reads one with a mark of UTF-8', async () => {
    await using prompts = await folder({ 'id/a.txt': '', 'id/b.txt': '', 'id/c.txt': '\uFEFFHalo.', 'id/d.mp3': '' })
    await writeFile(join(prompts.path, 'id', 'a.txt'), Buffer.from('\uFEFFMenyambungkan ke polisi.\r\n', 'utf16le'))
    await writeFile(join(prompts.path, 'id', 'b.txt'), Buffer.from('Caf\xe9.', 'latin1'))
    const { prompts: listed, faults } = await catalogue(prompts.path)
    expect(listed.get('id')?.get('c')?.text).toBe('Halo.')
    const advice = 'save it as UTF-8 (in Windows\' Notepad: "Save as", encoding "UTF-8")'
    expect(faults.map(formatFault).map(line => line.slice(prompts.path.length + 1))).toEqual([
      `id/a.txt:1:1 is not UTF-8 but UTF-16, which Windows calls "Unicode" — ${advice}`, `id/b.txt:1:1 is not UTF-8 — ${advice}`,
      'id/d.mp3:1:1 (warning) is not looked at — prompts are <name>.txt, and recordings <name>.wav, in small letters: export it as <name>.wav'
    ])
  })

  it('lists texts and recordings, by language', async () => {
    await using prompts = await folder({
      'id/halo.txt': 'Halo,\n apa kabar?\n', 'id/halo.wav': 'RIFF', 'id/halo.spoken': 'Halo, apa kabar?', 'en/halo.txt': 'Hello.'
    })
    await writeFile(join(prompts.path, 'id', 'halo.wav'), wav(tone()))
    const { prompts: listed, faults } = await catalogue(prompts.path)
    expect(listed.get('id')?.get('halo')).toMatchObject({ text: 'Halo, apa kabar?', recording: join(prompts.path, 'id/halo.wav') })
    expect(listed.get('en')?.get('halo')).toMatchObject({ text: 'Hello.', recording: undefined })
    expect(faults).toEqual([])
  })

  it('warns of recordings that speak an older text, or nobody knows which, and of texts that are none', async () => {
    await using prompts = await folder({
      'id/a.txt': 'Baru.', 'id/a.wav': 'RIFF', 'id/a.spoken': 'Lama.', 'id/b.txt': 'B.', 'id/b.wav': 'RIFF',
      'id/c.txt': ' \n', 'id/D E.txt': 'x', 'id/f.wav': 'RIFF'
    })
    for (const name of ['a', 'b']) await writeFile(join(prompts.path, 'id', `${name}.wav`), wav(tone()))
    const { prompts: listed, faults } = await catalogue(prompts.path)
    expect([...listed.get('id')!.keys()]).toEqual(['a', 'b'])
    expect(faults.map(formatFault).map(line => line.slice(prompts.path.length + 1)).sort()).toEqual([
      'id/D E.txt:1:1 (warning) has a name that no plan can hold — use small letters, digits and hyphens, at most 40',
      'id/a.wav:1:1 (warning) speaks an older text — record a.txt again, then cp a.txt a.spoken',
      'id/b.wav:1:1 (warning) does not say which text it speaks — if it speaks b.txt: cp b.txt b.spoken',
      'id/c.txt:1:1 (warning) is empty, and counts as missing — write what is to be said',
      'id/f.wav:1:1 (warning) is a recording without a text, and is not played — write f.txt'
    ])
  })
})

describe('synthesis', () => {
  it('speaks what is new or changed, keeps the rest, and removes what is gone', async () => {
    await using prompts = await folder({ 'id/a.txt': 'Satu.', 'id/b.txt': 'Dua.', 'id/c.txt': 'Tiga.' })
    await using out = await folder()
    const { run, seen } = tools()
    const told: string[] = []
    const progress = ({ name, outcome }: Progress) => void told.push(`${name} ${outcome}`)
    const go = () => synthesise({ folder: prompts.path, out: out.path, languages: ['id'], run, progress })

    await go()
    expect(told.splice(0).sort()).toEqual(['a made', 'b made', 'c made'])
    expect(seen.atOnce).toBeLessThanOrEqual(2)
    expect((await readdir(join(out.path, 'id'))).sort()).toEqual(['a.alaw', 'a.ulaw', 'b.alaw', 'b.ulaw', 'c.alaw', 'c.ulaw', 'manifest.json'])

    await go()
    expect(told.splice(0)).toEqual(['a kept', 'b kept', 'c kept'])

    await prompts.write({ 'id/b.txt': 'Dua belas.' })
    await prompts.write({ 'id/c.txt': '' })
    await go()
    expect(told.splice(0)).toEqual(['c removed', 'a kept', 'b made'])
    expect(seen.spoken.at(-1)).toBe('Dua belas.')
    expect(await readdir(join(out.path, 'id'))).not.toContain('c.ulaw')
  })

  it('plays the recording where there is one', async () => {
    await using prompts = await folder({ 'id/a.txt': 'Satu.', 'id/a.wav': 'a voice' })
    await using out = await folder()
    const { run, seen } = tools()
    await synthesise({ folder: prompts.path, out: out.path, languages: ['id'], run })
    expect(seen.spoken).toEqual([])
    expect((await durations(out.path, ['id'])).get('id')?.get('a')).toBe(seconds(0.4))
  })

  it('makes a sound again that is missing, or whose manifest is broken', async () => {
    await using texts = await folder({ 'a.txt': 'Satu.' })
    await using out = await folder()
    const { run, seen } = tools()
    const go = () => speak({ folder: texts.path, out: out.path, language: 'id', run })
    await go()
    await writeFile(join(out.path, 'manifest.json'), '{"a":')
    await go()
    expect(seen.spoken).toHaveLength(2)
  })

  it('forgets a sound before it makes it anew: a crash in between leaves no old voice for a new text', async () => {
    await using texts = await folder({ 'a.txt': 'Satu.' })
    await using out = await folder()
    const { run } = tools()
    await speak({ folder: texts.path, out: out.path, language: 'id', run })
    await texts.write({ 'a.txt': 'Dua.' })
    const crash = new Promise<string>(resolve => {
      void speak({ folder: texts.path, out: out.path, language: 'id', run: async () => {
        resolve(await readFile(join(out.path, 'manifest.json'), 'utf8'))
        return new Promise(() => {})
      } })
    })
    expect(JSON.parse(await crash)).toEqual({})
  })

  it('says which prompts failed and why, and makes the others all the same', async () => {
    await using prompts = await folder({ 'id/a.txt': 'Satu.', 'id/b.txt': 'Dua.', 'id/c.txt': '!' })
    await using out = await folder()
    const { run } = tools()
    const broken: Run = (command, args, options) => {
      if (command === 'espeak-ng' && options.input.toString().includes('Dua')) throw new ToolFailed('espeak-ng', 'ended with 1: no such voice')
      return run(command, args, options)
    }
    const told = synthesise({ folder: prompts.path, out: out.path, languages: ['id'], run: broken }).catch(error => error.message.replaceAll(`${prompts.path}/`, ''))
    expect(await told).toBe(
      'id/b.txt: espeak-ng ended with 1: no such voice — is the text one that can be spoken?\n' +
      'id/c.txt: sox made only 800 bytes of sound — is the text one that can be spoken?')
    expect(await readdir(join(out.path, 'id'))).toContain('a.alaw')
    expect(Object.keys(JSON.parse(await readFile(join(out.path, 'id/manifest.json'), 'utf8')))).toEqual(['a'])
  })

  it('says in one sentence that a language has no voice, and which prompts need a recording', async () => {
    await using texts = await folder({ 'jv/a.txt': 'Sugeng.', 'jv/b.txt': 'Rawuh.' })
    await using out = await folder({})
    const run: Run = async command => { throw new ToolFailed(command, 'ended with 1: Error: The specified espeak-ng voice does not exist.') }
    await expect(synthesise({ languages: ['jv'], folder: texts.path, out: out.path, run })).rejects.toThrow(
      `${join(texts.path, 'jv')}: espeak-ng has no voice for "jv", and 2 of its prompts no recording — record each as <name>.wav beside its text: a, b`)
  })

  it('says what to install', async () => {
    await using prompts = await folder({ 'id/a.txt': 'Satu.' })
    await using out = await folder()
    const missing: Run = async () => { throw new ToolFailed('espeak-ng', 'is not installed') }
    await expect(synthesise({ folder: prompts.path, out: out.path, languages: ['id'], run: missing }))
      .rejects.toThrow('id/a.txt: espeak-ng is not installed — install it: apt-get install espeak-ng sox')
  })
})

describe('the first choice', () => {
  const { plan } = readPlan(town, { file: 'plan.yaml' })
  const lengths = (menu: number) => new Map([['id', new Map([['sambutan', seconds(3)], ['menu-utama', seconds(menu)]])]])

  it('comes within ten seconds of the answer', () => {
    expect(firstChoice(plan, lengths(7))).toEqual([])
    expect(firstChoice(plan, lengths(7.6), { folder: 'prompts' }).map(formatFault)).toEqual([
      'prompts/id/menu-utama.txt:1:1 who dials 112 hears the last choice only after 10.6 s (sambutan 3.0 s + menu-utama 7.6 s); 10.0 s is the most — shorten one of the texts, or set another limit in the plan: lastChoice: { within: 15 s, why: … }'
    ])
  })

  it('comes within the plan\'s own limit, where it has one', () => {
    const { plan } = readPlan(`lastChoice: { within: 12 s, why: "nine keys" }\n${town}`, { file: 'plan.yaml' })
    expect(firstChoice(plan, lengths(9))).toEqual([])
    expect(firstChoice(plan, lengths(9.1)).map(({ sentence }) => sentence)).toEqual(['who dials 112 hears the last choice only after 12.1 s (sambutan 3.0 s + menu-utama 9.1 s); 12.0 s is the most'])
  })

  it('comes so in siaga, too, in the language of each number', () => {
    const { plan } = readPlan(`${townWith(['"+62721555": { entry: bpbd }', '"+62721555": { entry: bpbd, language: en }\n  "113": { entry: bpbd }'])}siaga: { entry: lain }\n`, { file: 'plan.yaml' })
    const heard = (indonesian: number, english: number) => firstChoice(plan, new Map([['id', new Map([['menu-lain', seconds(indonesian)]])], ['en', new Map([['menu-lain', seconds(english)]])]]), { folder: 'prompts' }).map(formatFault)
    expect(heard(9, 9)).toEqual([])
    expect(heard(10.4, 12)).toEqual([
      'prompts/id/menu-lain.txt:1:1 who dials 112 in siaga hears the last choice only after 10.4 s (menu-lain 10.4 s); 10.0 s is the most — shorten one of the texts, or set another limit in the plan: lastChoice: { within: 15 s, why: … }',
      'prompts/en/menu-lain.txt:1:1 who dials +62721555 in siaga hears the last choice only after 12.0 s (menu-lain 12.0 s); 10.0 s is the most — shorten one of the texts, or set another limit in the plan: lastChoice: { within: 15 s, why: … }'
    ])
    expect(firstChoice({ ...plan, siaga: { entry: 'utama' } }, new Map([['id', new Map([['menu-utama', seconds(11)]])], ['en', new Map()]])).map(({ sentence }) => sentence.slice(0, 20))).toEqual(['who dials 112 hears '])
  })

  it('comes so in the language, too, that a key chooses', () => {
    const { plan } = readPlan(townWith(['      2: lain\n', '      2: lain\n      9: { language: en }\n']), { file: 'plan.yaml' })
    const both = (english: number) => new Map([...lengths(7), ['en', new Map([['sambutan', seconds(3)], ['menu-utama', seconds(english)]])]])
    expect(firstChoice(plan, both(7))).toEqual([])
    expect(firstChoice(plan, both(7.6), { folder: 'prompts' }).map(formatFault)).toEqual([
      'prompts/en/menu-utama.txt:1:1 who dials 112 and presses 9 hears the last choice only after 10.6 s (sambutan 3.0 s + menu-utama 7.6 s); 10.0 s is the most — shorten one of the texts, or set another limit in the plan: lastChoice: { within: 15 s, why: … }'
    ])
  })
})

it('with the real tools, the repository\'s menu is heard within ten seconds, in both languages', async () => {
  await using out = await folder()
  const file = 'dialplan/plan.yaml'
  const { plan } = readPlan(await readFile(file), { file })
  await synthesise({ folder: 'dialplan/prompts', out: out.path, languages: plan.languages, run: toolsInRoot })
  const lengths = await durations(out.path, plan.languages)
  expect(firstChoice(plan, lengths)).toEqual([])
  expect(firstChoice({ ...plan, numbers: new Map([['112', { language: 'en', entry: 'utama' }]]) }, lengths)).toEqual([])

  const sound = await readFile(join(out.path, 'id/sambutan.alaw'))
  expect(sound.subarray(0, 4).toString()).not.toBe('RIFF')
  expect(new Set(sound).size).toBeGreaterThan(50)  // a voice, not silence
}, 60_000)
