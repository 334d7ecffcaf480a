/** `npx satunomor <verb> …`: what a PBX admin does from a terminal. Each verb is a program of its own; this finds it. */

import { orMeant, quote } from './plan/faults.ts'
import { helpOf, Misused, type Usage } from './verbs/usage.ts'

/** A verb: does its work with the arguments after its name, prints, and says with what code to end. Throws `Misused` where they make no sense. */
export interface Verb {
  usage: Usage
  run(args: string[]): Promise<number>
}

/** What there is, in the order of the help. Loaded only when it is asked for. */
const verbs: Record<string, { does: string, load: () => Promise<Verb> }> = {
  validate: { does: 'checks the service plan, the templates and the prompts; changes nothing', load: () => import('./verbs/validate.ts') },
  render: { does: 'shows what Asterisk would load of them; changes nothing', load: () => import('./verbs/render.ts') },
  diff: { does: 'shows what differs from the live version, or between two versions; ends with 1 where something does', load: () => import('./verbs/diff.ts') },
  apply: { does: 'makes the edited plan live, after all checks and a call on an Asterisk of its own', load: () => import('./verbs/apply.ts') },
  versions: { does: 'lists every version: when, who, why; * is live', load: () => import('./verbs/versions.ts') },
  rollback: { does: 'makes the version before, or version N, live again; the edited folder stays as it is', load: () => import('./verbs/rollback.ts') },
  simulate: { does: 'shows the way that a call would take, and why at each fork', load: () => import('./verbs/simulate.ts') },
  expect: { does: 'checks the expected calls of calls.yaml', load: () => import('./verbs/expect.ts') },
  calendar: { does: 'shows when agencies open and close, and why', load: () => import('./verbs/calendar.ts') },
  switch: { does: 'closes an agency until a time, or sets the city\'s surge mode', load: () => import('./verbs/switch.ts') },
  call: { does: 'lists the calls that go on, or ends one', load: () => import('./verbs/call.ts') },
  burst: { does: 'parks or releases the callbacks of a burst of calls that hung up at once', load: () => import('./verbs/burst.ts') },
  restart: { does: 'starts the service anew, with new code and settings; no call ends', load: () => import('./verbs/restart.ts') },
  'go-live': { does: 'after a restore: callbacks, messages and webhooks go on', load: () => import('./verbs/go-live.ts') },
  directory: { does: 'lists OPD, kecamatan and kelurahan, and their lines', load: () => import('./verbs/directory.ts') },
  init: { does: 'makes a city\'s own folder of the demo; SATUNOMOR_CITY names it', load: () => import('./verbs/init.ts') },
  upgrade: { does: 'shows which shipped files have changed since the city\'s folder took them over, and takes them over', load: () => import('./verbs/upgrade.ts') },
  root: { does: 'says which Asterisk runs here and which holes are known, or makes a new root for the next start', load: () => import('./verbs/root.ts') },
  person: { does: 'says who has a token of their own, and gives, renews or takes it away', load: () => import('./verbs/person.ts') },
  access: { does: 'says who has seen which caller\'s number, or heard which recording', load: () => import('./verbs/access.ts') },
  webhook: { does: 'shows agencies\' own systems their secret, and what could not be delivered to them', load: () => import('./verbs/webhook.ts') },
  schema: { does: 'prints the JSON Schema of plan.yaml, for editors', load: () => import('./verbs/schema.ts') }
}

function help(): string {
  const width = Math.max(...Object.keys(verbs).map(name => name.length))
  return ['npx satunomor <verb> [arguments]', '', ...Object.entries(verbs).map(([name, { does }]) => `  ${name.padEnd(width)}  ${does}`), '', 'npx satunomor <verb> --help says how each is used.', ''].join('\n')
}

async function main([name = '--help', ...args]: string[]): Promise<number> {
  const asked = ['help', '--help', '-h'].includes(name) ? args[0] : name
  if (asked === undefined) {
    process.stdout.write(help())
    return 0
  }
  const verb = Object.hasOwn(verbs, asked) ? verbs[asked] : undefined
  if (!verb) {
    process.stderr.write(`${orMeant(`there is no verb ${quote(asked)}`, asked, Object.keys(verbs))}\n\n${help()}`)
    return 2
  }
  const { usage, run } = await verb.load()
  if (asked !== name || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpOf(usage, verb.does))
    return 0
  }
  return run(args)
}

/** Root has made what is in the state folder, and only root may start the tools. */
function needsRoot({ message }: Error): boolean {
  return process.getuid?.() !== 0 && /EACCES|EPERM|operation not permitted|permission denied/i.test(message)
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(needsRoot(error as Error) ? `This needs root: run it as root, for example with sudo (${(error as Error).message.split('\n')[0]}).\n` : `${(error as Error).message}\n`)
    process.exitCode = error instanceof Misused ? 2 : 1
  }
}
