/**
 * What may stand in the service plan (dialplan/plan.yaml). One schema gives the checker its rules and the code its
 * types. A new section is a new property here; what concerns several sections at once goes into check.ts.
 *
 * Beside JSON Schema's own words, `expects` says in a fault's sentence what should stand there. A property with a
 * `default` may be left out.
 */
import { Type, type Static, type TSchema } from 'typebox'
import type { Duration } from './duration.ts'

const name = { pattern: '^[a-z0-9-]{1,40}$', expects: 'a name of at most 40 small letters, digits and hyphens' }
const prompt = { ...name, expects: `${name.expects}: the prompt's file name without .txt` }

/** A map whose keys are chosen by the plan's author. */
function named<S extends TSchema>(keys: { pattern: string, expects: string }, item: S, description: string) {
  return Type.Unsafe<ReadonlyMap<string, Static<S>>>({
    type: 'object', patternProperties: { [keys.pattern]: item }, keys: keys.expects, description
  } as TSchema)
}

/** A length of time, written with its unit: `20 s`, `500 ms`, `2 min`. Milliseconds once read. */
function duration(options: { default: string, atLeast: string, atMost: string, description: string }) {
  return Type.Unsafe<Duration>({
    type: 'string', format: 'duration', expects: 'a time with its unit, as in "20 s", "500 ms" or "2 min"', ...options
  } as TSchema)
}

function oneOf<const Words extends string[]>(words: Words, description: string) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: words, description } as TSchema)
}

/** A name that some other part of the plan must have; check.ts looks for it. */
const reference = (description: string) => Type.String({ description })

const language = Type.String({ pattern: '^[a-z]{2}$', expects: 'a language code of two small letters, as in "id"' })

const byte = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const Trunk = Type.Object({
  role: oneOf(['carrier', 'agencies'], 'Whom the trunk leads to: citizens by way of the carrier, or the agencies'),
  address: Type.String({
    pattern: `^${byte}(\\.${byte}){3}$`, expects: 'an IPv4 address, as in "127.0.0.2"',
    description: 'The only address from which this trunk may send us calls'
  }),
  port: Type.Integer({ minimum: 1, maximum: 65535, default: 5060, description: 'UDP port; 5060 if left out' }),
  codecs: Type.Array(oneOf(['alaw', 'ulaw', 'g722'], 'A codec, as Asterisk calls it'), {
    minItems: 1, uniqueItems: true, default: ['alaw', 'ulaw'],
    description: 'In order of preference; alaw, ulaw if left out'
  })
})

const Entry = Type.Object({
  language: Type.Optional(Type.String({ description: 'What its callers hear; the first of the languages if left out' })),
  entry: reference('The node where a call to this number begins')
})

const Menu = Type.Object({
  greeting: Type.Optional(Type.String({ ...prompt, description: 'Heard once, before the menu' })),
  prompt: Type.String({ ...prompt, description: 'The question; a key counts from its first syllable' }),
  patience: duration({
    default: '3 s', atLeast: '500 ms', atMost: '60 s', description: 'Silence after the prompt; 3 s if left out'
  }),
  tries: Type.Integer({ minimum: 1, maximum: 9, default: 2, description: 'Wrong keys before silence; 2 if left out' }),
  keys: named({ pattern: '^[0-9*#]$', expects: 'a key of a telephone: 0 to 9, "*" or "#"' },
    reference('The node that the key leads to'), 'What each key means'),
  silence: reference('The node for those who press nothing; it must end at a human'),
  wrongKey: Type.Optional(Type.String({ ...prompt, description: 'Played after a key that means nothing' }))
})

const Line = Type.Object({
  id: Type.String({ ...name, description: 'Unique among all agencies’ lines' }),
  trunk: reference('The trunk that reaches it'),
  number: Type.String({
    pattern: '^(\\+[0-9]{1,15}|[A-Za-z0-9._-]{1,40})$',
    expects: 'a telephone number, or a name of at most 40 letters, digits, dots, hyphens and underscores',
    description: 'What is dialled on the trunk'
  }),
  ringTime: duration({
    default: '20 s', atLeast: '5 s', atMost: '2 min',
    description: 'How long it rings before the next line is tried; mobiles take 4 to 10 s to begin. 20 s if left out'
  }),
  capacity: Type.Integer({
    minimum: 1, maximum: 1000, default: 1, description: 'How many calls it can hold at once; 1 if left out'
  }),
  acceptKey: Type.Optional(Type.String({
    pattern: '^[0-9]$', expects: 'one digit', description: 'Who picks up must press it to be counted as a human'
  }))
})

const Agency = Type.Object({
  name: Type.String({
    pattern: '^[^\\p{C}]{1,80}$', expects: 'a text of 1 to 80 letters on one line', description: 'For people to read'
  }),
  connecting: Type.String({ ...prompt, description: 'Heard by the caller while the first line rings' }),
  sorry: Type.Optional(Type.String({ ...prompt, description: 'Heard when nobody answered; prompts.sorry if left out' })),
  lines: Type.Array(Line, { minItems: 1, description: 'Tried in this order' })
})

const Prompts = Type.Object({
  wrongKey: Type.String({ ...prompt, description: 'After a key that means nothing' }),
  nextLine: Type.String({ ...prompt, description: 'Between two lines of an agency' }),
  sorry: Type.String({ ...prompt, description: 'When nobody answered' }),
  accept: Type.String({
    ...prompt, default: 'konfirmasi-petugas',
    description: 'Asks who picked up to press the acceptKey; konfirmasi-petugas if left out'
  })
})

const Apply = Type.Object({
  watch: duration({
    default: '2 min', atLeast: '1 s', atMost: '60 min', description: 'How long calls are watched after an apply; 2 min if left out'
  }),
  failed: Type.Integer({
    minimum: 0, maximum: 1000, default: 3,
    description: 'More calls than these ended by our fault meanwhile, and it is rolled back; 3 if left out'
  })
}, { default: { watch: 120_000, failed: 3 }, description: 'When an edit is taken back by itself; 2 min and 3 calls if left out' })

export const PlanFile = Type.Object({
  city: Type.String({ pattern: '^[^\\p{C}]{1,80}$', expects: 'a text of 1 to 80 letters on one line' }),
  timezone: Type.String({ description: 'As the IANA database calls it, e.g. Asia/Jakarta' }),
  languages: Type.Array(language, {
    minItems: 1, uniqueItems: true, description: 'Every prompt exists in each; the first is the default'
  }),
  trunks: named(name, Trunk, 'SIP links, by name'),
  numbers: named({ pattern: '^\\+?[0-9]{1,15}$', expects: 'a telephone number: digits, with a + before them at most' },
    Entry, 'What citizens dial (DID)'),
  menus: named(name, Menu, 'Questions, by node'),
  agencies: named(name, Agency, 'Who answers, by node'),
  prompts: Prompts,
  apply: Apply
})

/** The plan as written, once it conforms: defaults filled in, durations in ms, author's names as Maps. */
export type PlanFile = Static<typeof PlanFile>
export type Trunk = Static<typeof Trunk>
export type Line = Static<typeof Line>
export type Prompts = Static<typeof Prompts>
