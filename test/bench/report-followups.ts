/** The figures of the follow-ups' machinery (followups.ts), as docs/bench.md has them. */
import type { FollowUpFigures } from './followups.ts'
import { one } from './table.ts'

const whole = (n: number) => Math.round(n).toLocaleString('en')
const times = ({ plain, ours }: FollowUpFigures['rates'], what: 'enqueue' | 'processing') => `${whole(ours[what])} against ${whole(plain[what])} a second = ${(ours[what] / plain[what]).toFixed(2)} ×`

export const followUpsText = ({ create, due, restart, wide, rates }: FollowUpFigures): string[] => [
  '## Follow-ups', '',
  '100,000 missed calls, each of another citizen, a real SQLite file (`synchronous=FULL`) and a real Redis; no telephones: the exchange is a stub that takes each callback on at once, and whose citizens have been spoken with 50 ms later.', '',
  `- Made of the outbox: ${whole(create.perSecond)} a second (missed calls are written into it, steps and all, at ${whole(create.owedPerSecond)} a second). RSS ${one(create.rss.before)} → ${one(create.rss.after)} MB.`,
  `- Of 100,000 open ones 2,000 become due within 20 s: the exchange is asked to ring ${one(due.late.p50)} ms after the due time, p95 ${one(due.late.p95)}, p99 ${one(due.late.p99)}, at most ${one(due.late.max)} ms. RSS ${one(due.rss.before)} → ${one(due.rss.after)} MB.`,
  `- Killed while 1,000 were to be rung, Redis flushed, and all of the ${whole(restart.open)} open ones due: at the next start the first are queued ${one(restart.first)} ms after the store is open, those 1,000 after ${one(restart.thousand)} ms. ` +
  `What has no line yet is not queued: it is due in the store. With 1,000 callbacks at once (the plan's highest) the last one is queued after ${one(restart.all / 1000)} s, and asked for after ${one(restart.worked / 1000)} s. RSS ${one(restart.rss.before)} MB before, ${one(restart.rss.highest)} MB at its highest.`,
  `- The same with a line and a channel for everybody: nothing is paced, and all ${whole(wide.open)} that are due are queued after ${one(wide.all / 1000)} s, and asked for after ${one(wide.worked / 1000)} s. RSS ${one(wide.rss.before)} MB before, ${one(wide.rss.highest)} MB at its highest.`,
  `- Beside plain BullMQ (medians of 5 rounds of 10,000, 250 at once, 1,000 a batch): into the queue, claimed in the store before, ${times(rates, 'enqueue')}; through a worker, begun in the store before, ${times(rates, 'processing')}.`, ''
]

export const followUpTargets = (figures: FollowUpFigures | undefined): [string, string, boolean | undefined][] => {
  const of = <T>(take: (figures: FollowUpFigures) => T) => figures && take(figures)
  const share = (what: 'enqueue' | 'processing') => of(({ rates }) => rates.ours[what] / rates.plain[what])
  return [
    ['follow-ups made of the outbox: at least 2,000 a second', of(f => `${whole(f.create.perSecond)} a second`) ?? '', of(f => f.create.perSecond >= 2_000)],
    ['due ones picked up within 250 ms (p95), 100,000 open', of(f => `${one(f.due.late.p95)} ms`) ?? '', of(f => f.due.late.p95 <= 250)],
    ['a restart with 100,000 due queues again what has a line (1,000 at once) in under 30 s', of(f => `${(f.restart.thousand / 1000).toFixed(2)} s`) ?? '', of(f => f.restart.thousand < 30_000)],
    ['a restart with 100,000 due, and a line for each, queues all in under 30 s', of(f => `${one(f.wide.all / 1000)} s`) ?? '', of(f => f.wide.all < 30_000)],
    ['into the queue at least 0.5 × plain BullMQ', of(f => times(f.rates, 'enqueue')) ?? '', of(() => share('enqueue')! >= 0.5)],
    ['through a worker at least 0.5 × plain BullMQ', of(f => times(f.rates, 'processing')) ?? '', of(() => share('processing')! >= 0.5)]
  ]
}
