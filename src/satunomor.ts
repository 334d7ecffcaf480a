/** `npx satunomor <verb> …`: what a PBX admin does from a terminal. Each verb is a program of its own; this finds it. */

/** A verb: does its work with the arguments after its name, prints, and says with what code to end. */
export interface Verb {
  run(args: string[]): Promise<number>
}

/** What there is, in the order of the help. Loaded only when it is asked for. */
const verbs: Record<string, { does: string, load: () => Promise<Verb> }> = {
  validate: { does: 'checks the service plan, the templates and the prompts; changes nothing', load: () => import('./verbs/validate.ts') },
  render: { does: 'what Asterisk would load of them [--out DIR]; changes nothing', load: () => import('./verbs/render.ts') },
  diff: { does: 'what differs from the live version [FROM [TO]]', load: () => import('./verbs/diff.ts') },
  apply: { does: 'makes the edited plan live: --why "…" [--who NAME] [--base N] [--no-smoke]', load: () => import('./verbs/apply.ts') },
  versions: { does: 'every version: when, who, why', load: () => import('./verbs/versions.ts') },
  rollback: { does: 'makes the version before live again, or version N: [N] --why "…" [--who NAME]', load: () => import('./verbs/rollback.ts') },
  simulate: { does: 'the way that a call would take: --number 112 --at "2027-03-20 02:30" --press 1,2 --busy LINE --dead LINE, of what is edited [--live] [--plan FILE]', load: () => import('./verbs/simulate.ts') },
  expect: { does: 'checks the expected calls of dialplan/calls.yaml', load: () => import('./verbs/expect.ts') },
  calendar: { does: 'when agencies open and close: --days 30 --from 2027-03-01, of what is edited [--live] [--plan FILE]', load: () => import('./verbs/calendar.ts') },
  switch: { does: 'closes an agency until a time, or sets the city\'s surge mode: close AGENCY, open AGENCY, siaga, normal --until "2027-03-20 18:00" --reason "…" [--who NAME]', load: () => import('./verbs/switch.ts') },
  call: { does: 'calls that go on: list, end ID --reason "…" [--who NAME]', load: () => import('./verbs/call.ts') },
  directory: { does: 'OPD, kecamatan and kelurahan: [--search "tanjung karang"]', load: () => import('./verbs/directory.ts') },
  person: { does: 'who has a token of their own: add NAME --role desk|admin [--list AGENCY], list, renew NAME, remove NAME', load: () => import('./verbs/person.ts') },
  access: { does: 'who has seen which caller\'s number or recording: [--from TIME] [--to TIME] [--who NAME] [--call ID] [--limit N]', load: () => import('./verbs/access.ts') },
  webhook: { does: 'agencies\' own systems: secret AGENCY [--rotate], dead, redeliver EVENT', load: () => import('./verbs/webhook.ts') },
  schema: { does: 'prints the JSON Schema of plan.yaml, for editors', load: () => import('./verbs/schema.ts') }
}

function help(): string {
  const width = Math.max(...Object.keys(verbs).map(name => name.length), 0)
  return ['npx satunomor <verb> [arguments]', '', ...Object.entries(verbs).map(([name, { does }]) => `  ${name.padEnd(width)}  ${does}`), ''].join('\n')
}

if (import.meta.main) {
  const [name = '', ...args] = process.argv.slice(2)
  const verb = verbs[name]
  try {
    if (verb) process.exitCode = await (await verb.load()).run(args)
    else {
      process.stderr.write(help())
      process.exitCode = ['', 'help', '--help'].includes(name) ? 0 : 2
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
