/** What the plan says about follow-ups: whom we owe a call, when it is tried, and when a person takes over. Part of schema.ts. */
import { Type, type Static } from 'typebox'
import { duration, name, named, oneOf, reference } from './schema-words.ts'

/** Why we owe a caller something. `late`: found by the ledger after an outage; `asked`: the caller, or somebody for them, asked for it; `message`: they left one. */
export const kinds = ['abandoned-greeting', 'abandoned-menu', 'abandoned-ringing', 'abandoned-waiting', 'unanswered', 'failed', 'late', 'asked', 'message'] as const
export type FollowUpKind = typeof kinds[number]

const priority = { minimum: 1, maximum: 9, description: '1 is rung back before 2, whoever called first; 5 if left out' }
const delay = { atLeast: '0 s', atMost: '1440 min', description: 'From the missed call to the first attempt; 20 s if left out' }
const attempts = { minimum: 0, maximum: 20, description: 'How often the citizen is rung before a person takes over; 0: a person does it from the beginning; 3 if left out' }
const spacing = { minItems: 1, description: 'Between attempts, one after the other; the last one counts for all that follow; 2 min, 10 min if left out' }
const gap = (description: string) => duration({ atLeast: '5 s', atMost: '1440 min', description })
const ringTime = { atLeast: '5 s', atMost: '2 min', description: 'How long the citizen\'s telephone rings; 30 s if left out' }
const agencyTries = { minimum: 1, maximum: 50, description: 'How often an agency that cannot be reached is tried, before a person takes over; no attempt of the citizen\'s; 5 if left out' }
const deadline = { atLeast: '1 min', atMost: '10080 min', description: 'From the missed call until somebody has spoken with the citizen (SLA); then it goes to the next one of `escalate`; 30 min if left out' }
const later = { atLeast: '1 min', atMost: '1440 min', description: 'How much later, where the citizen asks for it by key; 30 min if left out' }
const spoken = { atLeast: '1 s', atMost: '10 min', description: 'Of a callback: how long the two must have been joined for it to be a talk; the plan\'s `spoken` if left out' }

/** Nothing of it has a default here: the agency's word goes before the city's, and that before ours (follow-up-policy.ts). */
const rule = {
  delay: Type.Optional(duration(delay)),
  attempts: Type.Optional(Type.Integer(attempts)),
  spacing: Type.Optional(Type.Array(gap('A pause'), spacing)),
  hours: Type.Optional(reference('The timetable (of `hours`) within which citizens are rung; at any time if left out')),
  first: Type.Optional(oneOf(['agency', 'citizen'], 'Who is rung first; the agency if left out')),
  ringTime: Type.Optional(duration(ringTime)),
  agencyTries: Type.Optional(Type.Integer(agencyTries)),
  later: Type.Optional(duration(later)),
  spoken: Type.Optional(duration(spoken)),
  deadline: Type.Optional(duration(deadline)),
  priority: Type.Optional(Type.Integer(priority)),
  message: Type.Optional(reference('The message (of `messages`) that the citizen gets when the follow-up is opened; none if left out')),
  unreached: Type.Optional(reference('The message that the citizen gets after an attempt that did not reach them; none if left out'))
}
const Rule = Type.Object(rule)
const byKind = named({ pattern: `^(${kinds.join('|')})$`, expects: `one of ${kinds.join(', ')}` }, Rule, 'What is otherwise for one kind')
const AgencyRule = Type.Object({ ...rule, kinds: Type.Optional(byKind) })

const Outbound = Type.Object({
  trunk: Type.Optional(reference('The trunk (role carrier) that citizens are rung by; the first carrier if left out')),
  cli: Type.Optional(Type.String({ pattern: '^\\+?[0-9]{1,15}$', expects: 'a telephone number: digits, with a + before them at most', description: 'The number that citizens see; the one that they dialled if left out' })),
  channels: Type.Integer({ minimum: 0, maximum: 1000, default: 4, description: 'The most callbacks at once; 0: none is made, a person does them; 4 if left out' }),
  reserve: Type.Integer({ minimum: 0, maximum: 1000, default: 2, description: 'Of the trunk\'s `channels` (where it says how many): so many stay free for calls that come in; 2 if left out' }),
  agencyReserve: Type.Integer({ minimum: 0, maximum: 1000, default: 1, description: 'Of each agency\'s places (the `capacity` of its lines): so many stay free of callbacks, for calls that come in, but one is always left to callbacks; 1 if left out' }),
  hourly: Type.Integer({ minimum: 1, maximum: 60, default: 6, description: 'The most attempts within an hour that ring one number; 6 if left out' }),
  cityHourly: Type.Integer({ minimum: 1, maximum: 100000, default: 300, description: 'The most attempts within an hour that ring anybody; 300 if left out' })
}, { default: { channels: 4, reserve: 2, agencyReserve: 1, hourly: 6, cityHourly: 300 }, description: 'How citizens are rung; 4 at once if left out' })

const Burst = Type.Object({
  calls: Type.Integer({ minimum: 0, maximum: 10_000, default: 20, description: 'More calls than these from other numbers, around one that was hung up at once, are a burst; 0: none is; 20 if left out' }),
  within: duration({ default: '60 s', atLeast: '5 s', atMost: '60 min', description: 'How long before it and after it they count; 60 s if left out' }),
  shorter: duration({ default: '3 s', atLeast: '1 s', atMost: '60 s', description: 'Hung up at once is: before this time, without a key; 3 s if left out' })
}, { default: { calls: 20, within: 60_000, shorter: 3_000 }, description: 'Calls that hang up at once, from many numbers in a short time: nobody is rung back for them until the desk says so; more than 20 within 60 s if left out' })

export const FollowUps = Type.Object({
  outbound: Outbound,
  burst: Burst,
  window: duration({ default: '30 min', atLeast: '0 s', atMost: '1440 min', description: 'Missed calls of one person about the same agency within it are one follow-up; 30 min if left out' }),
  stale: duration({ default: '120 min', atLeast: '1 min', atMost: '10080 min', description: 'A missed call that is learned of only so much later goes to a person at once: nobody is rung out of the blue; 2 h if left out' }),
  desk: Type.Optional(reference('The agency whose people work off what automation cannot, and who ring back callers who chose no agency; the one that silence leads to if left out')),
  mailbox: Type.Optional(reference('The mailbox (of `mailboxes`) where callers may leave a message (`offerKeys`), when nobody answered; none if left out')),
  policy: Type.Optional(Type.Object({ ...rule, kinds: Type.Optional(byKind) }, { description: 'The city\'s policy' })),
  agencies: Type.Optional(named(name, AgencyRule, 'What is otherwise for one agency')),
  escalate: Type.Optional(Type.Array(Type.Object({
    to: reference('The agency (or desk) whose list it then stands on'),
    after: duration({ default: '15 min', atLeast: '1 min', atMost: '1440 min', description: 'How long after the deadline, or after the one before; 15 min if left out' })
  }), { description: 'Whom overdue follow-ups go to, one after the other' })),
  messages: Type.Optional(named(name, named({ pattern: '^[a-z]{2}$', expects: 'a language code of two small letters' },
    Type.String({ pattern: '^[^\\p{C}]{1,320}$', expects: 'a text of 1 to 320 letters on one line' }), 'The text in each language'), 'Texts that citizens get by SMS or the like'))
}, {
  default: {
    outbound: { channels: 4, reserve: 2, agencyReserve: 1, hourly: 6, cityHourly: 300 }, burst: { calls: 20, within: 60_000, shorter: 3_000 }, window: 1_800_000, stale: 7_200_000
  },
  description: 'What becomes of missed calls; our own policy if left out'
})

export type FollowUps = Static<typeof FollowUps>
export type FollowUpRule = Static<typeof Rule>
