/**
 * What may stand in the service plan (dialplan/plan.yaml). One schema gives the checker its rules and the code its
 * types. A new section is a new property here; what concerns several sections at once goes into check.ts.
 */
import { Type, type Static } from 'typebox'
import { Directory } from './directory.ts'
import { Mailbox } from './mailboxes.ts'
import { Room } from './rooms.ts'
import { OutOfService } from './schema-duty.ts'
import { FollowUps } from './schema-followups.ts'
import { Season } from './seasons.ts'
import { Retention } from './schema-retention.ts'
import { Webhook } from './schema-webhook.ts'
import { date, dialled, duration, either, insteadBy, name, named, oneOf, prompt, reference, text, time } from './schema-words.ts'

const language = Type.String({ pattern: '^[a-z]{2}$', expects: 'a language code of two small letters, as in "id"' })

const byte = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const areaCode = (description: string) => Type.Optional(Type.String({
  pattern: '^0[2-9][0-9]{1,2}$', expects: 'an area code, as in "0721"', description
}))

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
  }),
  qualify: Type.Optional(duration({
    atLeast: '5 s', atMost: '60 min', never: 'off',
    description: 'How often Asterisk asks it whether it is there (SIP OPTIONS). While it does not answer, it is out of order. 10 s if left out, and off for a carrier'
  })),
  channels: Type.Optional(Type.Integer({
    minimum: 1, maximum: 10_000, description: 'The most calls to lines on it at once; one that is full is out of order for one more. Any number if left out'
  })),
  nat: oneOf(['no', 'yes'], 'yes: its sound comes from another address or port than it says (SDP), so ours goes to where its sound comes from. A stranger who sends sound first gets ours then. no if left out', 'no'),
  maxCalls: Type.Optional(Type.Integer({
    minimum: 1, maximum: 10_000, description: 'Of a carrier: the most calls that come in on it at once; one more is refused with 503. Any number if left out'
  })),
  areaCode: areaCode('The area code of numbers that come in on it without one; the city’s if left out')
})

const Entry = Type.Object({
  language: Type.Optional(Type.String({ description: 'What its callers hear; the first of the languages if left out' })),
  entry: reference('The node where a call to this number begins')
})

/** What a key means: a node, or a language in which the menu is heard again, or both. */
const Choice = either(reference('The node that the key leads to'), Type.Object({
  language: Type.Optional(Type.String({ description: 'What the caller hears from here on; as before if left out' })),
  to: Type.Optional(reference('The node that the key leads to; this menu again if left out'))
}, { description: 'A language, and perhaps another node' }))

const Menu = Type.Object({
  greeting: Type.Optional(Type.String({ ...prompt, description: 'Heard once, before the menu' })),
  prompt: Type.String({ ...prompt, description: 'The question; a key counts from its first syllable' }),
  patience: duration({
    default: '3 s', atLeast: '500 ms', atMost: '60 s', description: 'Silence after the prompt; 3 s if left out'
  }),
  tries: Type.Integer({ minimum: 1, maximum: 9, default: 2, description: 'Wrong keys before silence; 2 if left out' }),
  keys: named({ pattern: '^[0-9*#]$', expects: 'a key of a telephone: 0 to 9, "*" or "#"' },
    Choice, 'What each key means: a node, or a language ({ language: en }), or both'),
  silence: reference('The node for those who press nothing; it must end at a human'),
  wrongKey: Type.Optional(Type.String({ ...prompt, description: 'Played after a key that means nothing' }))
})

const Line = Type.Object({
  id: Type.String({ ...name, description: 'Unique among all agencies’ lines' }),
  trunk: Type.Optional(reference('The trunk that reaches it')),
  trunks: Type.Optional(Type.Array(reference('A trunk'), {
    minItems: 1, uniqueItems: true, description: 'Instead of `trunk`, several that reach it: while one is out of order or full, it is rung by the next'
  })),
  number: dialled('What is dialled on the trunk'),
  ringTime: duration({
    default: '20 s', atLeast: '5 s', atMost: '2 min',
    description: 'How long it rings before the next line is tried; mobiles take 4 to 10 s to begin. 20 s if left out'
  }),
  ringsWithin: duration({
    default: '12 s', atLeast: '4 s', atMost: '60 s',
    description: 'The line must begin to ring within this time (SIP 180 or 183), else it is out of order and the next trunk or line is tried. Mobiles take 4 to 10 s. 12 s if left out'
  }),
  capacity: Type.Integer({
    minimum: 1, maximum: 1000, default: 1, description: 'How many calls it can hold at once; 1 if left out'
  }),
  priority: Type.Integer({
    minimum: 1, maximum: 9, default: 1, description: 'Those of the agency’s lines with priority 1 are all tried before those with 2, and so on; 1 if left out'
  }),
  acceptKey: Type.Optional(Type.String({
    pattern: '^[0-9]$', expects: 'one digit', description: 'Who picks up must press it to be counted as a human'
  })),
  hours: Type.Optional(reference('The timetable (of `hours`) by which the line is rung, whatever the agency’s hours are; at all times if left out')),
  outOfService: Type.Optional(OutOfService)
}, { description: 'A telephone of the agency' })

/** A line of another agency that rings for this one, too. */
const SharedLine = Type.Object({
  line: reference('The id of a line of another agency: the same telephone. The two share its capacity'),
  priority: Type.Integer({ minimum: 1, maximum: 9, default: 1, description: 'As of any line, for this agency alone; 1 if left out' })
}, { description: 'A telephone that is a line of another agency, too' })

/** Where callers of a closed agency go: a node; or they are offered a callback first, as far as one can be made. */
const Closed = either(reference('The node where its callers go while it is closed; it must end at a human'), Type.Object({
  offer: oneOf(['callback'], 'By a key (`offerKeys`), to be called back when it is open; only to those who can be rung, and only at an agency that has `hours`'),
  to: reference('The node for those who cannot be rung back; it must end at a human, or at a mailbox')
}, { description: 'Where its callers go while it is closed: a node; or the offer of a callback, and a node for those to whom none can be promised' }))

/** The waiting room: only where all lines are in use does anybody come to it, not where nobody picks up. */
const Wait = Type.Object({
  longest: duration({ default: '10 min', atLeast: '10 s', atMost: '60 min', description: 'After this they go on, as without it; 10 min if left out' }),
  every: duration({ default: '20 s', atLeast: '5 s', atMost: '2 min', description: 'How long they hear a soft tone until they are told again; who is first then is sent to the lines, whatever is known of them; 20 s if left out' })
}, { description: 'Where its callers wait while all its lines are in use: who called first is connected first. They go on at once if left out' })

const Agency = Type.Object({
  name: text('For people to read'),
  connecting: Type.String({ ...prompt, description: 'Heard by the caller while the first line rings' }),
  sorry: Type.Optional(Type.String({ ...prompt, description: 'Heard when nobody answered; prompts.sorry if left out' })),
  order: oneOf(['in-turn', 'all-at-once', 'longest-idle'],
    'Which line rings: one after the other as they stand, all together, or the one first that has been free longest. in-turn if left out', 'in-turn'),
  lines: Type.Array(insteadBy('line', SharedLine, Line), { minItems: 1, description: 'Its telephones' }),
  hours: Type.Optional(reference('The timetable (of `hours`) by which it is open; at all times if left out')),
  holidays: Type.Optional(reference('The calendar (of `holidays`) on whose days it is closed; none if left out')),
  closed: Type.Optional(Closed),
  wait: Type.Optional(Wait),
  overflow: Type.Optional(Type.Object({
    busy: Type.Optional(reference('The agency that takes its callers when a line of it works, and none was picked up')),
    dead: Type.Optional(reference('The agency that takes its callers when all of its lines are out of order'))
  }, { description: 'Where callers go after its last line; to an apology if left out' })),
  callers: Type.Optional(oneOf(['shown', 'anonymous'], 'anonymous: its lines, its own system and the desk do not see the callers’ numbers. shown if left out')),
  messages: Type.Optional(oneOf(['sent', 'none'], 'none: no message is sent to its callers. sent if left out')),
  webhook: Type.Optional(Webhook)
})

const most = (limit: number, description: string) => Type.Integer({ minimum: 0, maximum: 1000, default: limit, description })
const SameNumber = Type.Object({
  calls: most(1, 'The most calls of one number that ring or talk at one agency at once; 0: any number of them; 1 if left out'),
  desk: most(2, 'The same at the agency that silence leads to (the desk); 2 if left out'),
  except: Type.Array(Type.String({ pattern: '^\\+?[0-9]{7,15}$', expects: 'a telephone number of 7 digits or more' }), {
    maxItems: 100, uniqueItems: true, default: [], description: 'Numbers behind which many people are: a hotel, a call centre. They have no limit. The last nine digits count. None if left out'
  })
}, { default: { calls: 1, desk: 2, except: [] }, description: 'How many lines of an agency one caller’s number may hold at once; one more call goes to the overflow or the desk. 1, and 2 at the desk, if left out' })

const telephoneKey = { pattern: '^[0-9*#]$', expects: 'a key of a telephone: 0 to 9, "*" or "#"' }
/** None of them may be a key of a menu (check-keys.ts): who presses the menu's key twice must not take an offer. */
const OfferKeys = Type.Object({
  callback: Type.String({ ...telephoneKey, default: '7', description: 'To be called back; 7 if left out' }),
  message: Type.String({ ...telephoneKey, default: '8', description: 'To leave a message; 8 if left out' })
}, { description: 'By which keys callers take what is offered in place of a line: a callback, or a message. No menu may use them, and the prompts must name them' })

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const Period = Type.Object({
  days: Type.Array(oneOf([...weekdays], 'A day of the week'), {
    minItems: 1, uniqueItems: true, description: 'The days on which the period begins'
  }),
  from: time('The first minute that is open'),
  to: time('The first minute that is closed again; one before `from` is of the next day')
})

const Exception = Type.Object({
  date: date('The day, or the first of several'),
  until: Type.Optional(date('The last of the days; the same day if left out')),
  agencies: Type.Array(reference('An agency'), { minItems: 1, uniqueItems: true, description: 'Whom it concerns' }),
  is: oneOf(['open', 'closed'], 'Instead of what timetable and holidays say of the day'),
  from: Type.Optional(time('Where it is open: the first minute; 00:00 if left out')),
  to: Type.Optional(time('Where it is open: the first minute that is closed again; 24:00 if left out')),
  reason: text('For people to read')
})

const Prompts = Type.Object({
  wrongKey: Type.String({ ...prompt, description: 'After a key that means nothing' }),
  nextLine: Type.String({ ...prompt, description: 'After a line that is busy or full, while the next one is tried' }),
  connecting: Type.String({
    ...prompt, default: 'sedang-menghubungkan',
    description: 'After a line that is dead or was not picked up, while the next one is tried; sedang-menghubungkan if left out'
  }),
  sorry: Type.String({ ...prompt, description: 'When nobody answered' }),
  hold: Type.String({ ...prompt, default: 'tetap-di-saluran', description: 'What the caller hears, again and again, while the agency holds the call; tetap-di-saluran if left out' }),
  accept: Type.String({
    ...prompt, default: 'konfirmasi-petugas',
    description: 'Asks who picked up to press the acceptKey; konfirmasi-petugas if left out'
  }),
  callerLeft: Type.String({ ...prompt, default: 'penelepon-pergi', description: 'Tells who picked up an agency\'s line that the caller has hung up meanwhile; penelepon-pergi if left out' }),
  callback: Type.String({ ...prompt, default: 'telepon-balik', description: 'What a citizen hears who is rung back; telepon-balik if left out' }),
  speak: Type.String({ ...prompt, default: 'mohon-bicara', description: 'What they hear next, where they pressed no key; mohon-bicara if left out' }),
  acceptCallback: Type.String({ ...prompt, default: 'konfirmasi-telepon-balik', description: 'Asks who picked up an agency\'s line to press 1 for a callback; konfirmasi-telepon-balik if left out' }),
  unreached: Type.String({ ...prompt, default: 'warga-tidak-terhubung', description: 'Tells an agency that the citizen was not reached; warga-tidak-terhubung if left out' }),
  agencyLeft: Type.String({ ...prompt, default: 'petugas-sudah-pergi', description: 'Tells a citizen who is rung back that the agency has hung up meanwhile; petugas-sudah-pergi if left out' }),
  callbackOver: Type.String({ ...prompt, default: 'telepon-balik-selesai', description: 'Tells an agency that the citizen waits no longer; telepon-balik-selesai if left out' }),
  confirmTalk: Type.String({ ...prompt, default: 'sudah-bicara', description: 'Asks an agency whether it was a human (1) or a machine (2), where the citizen had pressed no key; sudah-bicara if left out' }),
  noted: Type.String({ ...prompt, default: 'dicatat', description: 'Tells a citizen that their key was understood; dicatat if left out' }),
  offer: Type.String({ ...prompt, default: 'tawaran-telepon-balik', description: 'Offers a callback when nobody answered; tawaran-telepon-balik if left out' }),
  promised: Type.String({ ...prompt, default: 'akan-ditelepon', description: 'After the caller has taken the offer; akan-ditelepon if left out' }),
  waiting: Type.String({ ...prompt, default: 'mohon-maaf', description: 'What callers hear who wait for a line; mohon-maaf if left out' }),
  offerWaiting: Type.String({ ...prompt, default: 'tawaran-menunggu', description: 'Then offers them a callback instead; tawaran-menunggu if left out' }),
  closed: Type.String({ ...prompt, default: 'tutup', description: 'Says that the agency is closed, where a callback is offered; tutup if left out' }),
  offerOpening: Type.String({ ...prompt, default: 'tawaran-saat-buka', description: 'Then offers to call back when it is open; tawaran-saat-buka if left out' }),
  promisedOpening: Type.String({ ...prompt, default: 'telepon-saat-buka', description: 'After the caller has taken that offer; telepon-saat-buka if left out' }),
  offerMessage: Type.String({ ...prompt, default: 'tawaran-pesan', description: 'Offers to leave a message (by the key of `offerKeys`), when nobody answered; tawaran-pesan if left out' }),
  messageLeft: Type.String({ ...prompt, default: 'pesan-diterima', description: 'After a message was left; pesan-diterima if left out' }),
  noMessage: Type.String({ ...prompt, default: 'pesan-tidak-ada', description: 'Where none was: nothing was said, or it could not be recorded; pesan-tidak-ada if left out' })
})

const Apply = Type.Object({
  watch: duration({
    default: '2 min', atLeast: '1 s', atMost: '60 min', description: 'How long calls are watched after an apply; 2 min if left out'
  }),
  failed: Type.Integer({
    minimum: 0, maximum: 1000, default: 3,
    description: 'More calls than these ended by our fault meanwhile, and it is rolled back; 3 if left out'
  }),
  keep: Type.Optional(Type.Integer({
    minimum: 2, maximum: 10_000,
    description: 'How many versions are kept, the newest; never less than what is live and what a rollback leads to. All of them if left out'
  }))
}, { default: { watch: 120_000, failed: 3 }, description: 'When an edit is taken back by itself, and how many versions are kept; 2 min, 3 calls and all if left out' })

export const PlanFile = Type.Object({
  city: text('The city, for people to read'),
  timezone: Type.String({ description: 'As the IANA database calls it, e.g. Asia/Jakarta' }),
  languages: Type.Array(language, {
    minItems: 1, uniqueItems: true, description: 'Every prompt exists in each; the first is the default'
  }),
  areaCode: areaCode('The city’s area code, as dialled within the country: for numbers that networks write without it'),
  trunks: named(name, Trunk, 'SIP links, by name'),
  numbers: named({ pattern: '^\\+?[0-9]{1,15}$', expects: 'a telephone number: digits, with a + before them at most' },
    Entry, 'What citizens dial (DID)'),
  menus: named(name, Menu, 'Questions, by node'),
  agencies: named(name, Agency, 'Who answers, by node'),
  mailboxes: Type.Optional(named(name, Mailbox, 'Where callers may leave a message, by node')),
  hours: Type.Optional(named(name, Type.Array(Period, { minItems: 1, description: 'Open in all of these, else closed' }),
    'Timetables, by name; times are of the plan’s time zone')),
  seasons: Type.Optional(named(name, Season, 'Dates on which other timetables hold, as in Ramadan, by name')),
  holidays: Type.Optional(named(name, Type.Array(reference('A file of holidays/, without .yaml'), { minItems: 1, uniqueItems: true, description: 'The files that make it up' }),
    'Calendars of holidays, by name')),
  exceptions: Type.Optional(Type.Array(Exception, { description: 'Days on which an agency is open or closed otherwise' })),
  siaga: Type.Optional(Type.Object({
    entry: reference('The node where all calls begin while it is on')
  }, { description: 'Surge mode, for floods and the like: npx satunomor switch siaga' })),
  directory: Type.Optional(Directory),
  rooms: Type.Optional(named(name, Room, 'Teleconferences, by name')),
  silentTalk: duration({
    default: '90 s', atLeast: '1 s', atMost: '60 min', description: 'For so long no sound comes from either side of a talk, and nobody holds it: both telephones are gone, and the call is ended; 90 s if left out'
  }),
  spoken: duration({
    default: '4 s', atLeast: '0 s', atMost: '15 s',
    description: 'The shortest talk that counts. A line that ends its talk sooner did not answer, and the next one rings. 4 s if left out, 0 s: a line that is picked up has answered'
  }),
  lastChoice: Type.Optional(Type.Object({
    within: duration({ atLeast: '5 s', atMost: '60 s', description: 'So long after the answer callers have heard every choice' }),
    why: text('Why callers may be read to for so long')
  }, { description: 'Another limit than the 10 s within which callers must have heard every choice of the first menu' })),
  sameNumber: SameNumber,
  prompts: Prompts,
  offerKeys: Type.Optional(OfferKeys),
  followups: FollowUps,
  retention: Retention,
  apply: Apply
})

/** The plan as written, once it conforms: defaults filled in, durations in ms, author's names as Maps. */
export type PlanFile = Static<typeof PlanFile>
export type Trunk = Static<typeof Trunk>
export type Line = Static<typeof Line>
export type SharedLine = Static<typeof SharedLine>
export type Period = Static<typeof Period>
export type Exception = Static<typeof Exception>
export type Prompts = Static<typeof Prompts>
