/**
 * Calls in progress finish under the plan that they began with, also in the dialplan. A context is therefore laid out
 * under a name with a checksum, with a step under its own name that leads there:
 *
 *   [agency-bpbd]                                  [agency-bpbd~6c3dfb93]
 *   exten => s,1,Goto(agency-bpbd~6c3dfb93,s,1)    exten => s,1,…
 *
 * A caller whose line is ringing stands in the latter, and what it was when they entered stays until they are through:
 * after the next apply it lies beside the new one. Checksums are over a context and all that it leads to.
 */
import { parseDialplan, splitArguments, withoutComment } from './dialplan.ts'
import { sha256 } from './versions.ts'

interface Context {
  name: string
  body: string
}

/** The dialplan as Asterisk loads it, with what is left of `older` ones (the newest first) for whoever is in them. */
export function seal(text: string, older: readonly string[] = []): string {
  const { open, sealed } = split(text)
  const names = new Set(sealed.map(({ name }) => name))
  const ways = sealed.map(context => entry(context))
  const bodies = new Map(sealed.map(({ sealedName, body }) => [sealedName, body]))
  for (const other of older) {
    for (const context of split(other).sealed) {
      // Who is on the way to a context that is no more, e.g. still in a menu that had it, comes there all the same.
      if (!names.has(context.name)) ways.push(entry(context))
      names.add(context.name)
      bodies.set(context.sealedName, context.body)
    }
  }
  return [open, ...ways, ...[...bodies].map(([name, body]) => `[${name}]\n${body}`)].join('\n')
}

/** Whether a dialplan is laid out whole in what Asterisk loads, whatever is left there of older ones. */
export function holds(laidOut: string, text: string): boolean {
  const { open, sealed } = split(text)
  return [open, ...sealed.map(entry), ...sealed.map(({ sealedName, body }) => `[${sealedName}]\n${body}`)].every(part => laidOut.includes(part))
}

const entry = ({ name, sealedName }: { name: string, sealedName: string }) => `[${name}]\nexten => s,1,Goto(${sealedName},s,1)\n`

/** What was split lately: between two applies only the newest is new. */
const lately = new Map<string, Split>()

function split(text: string): Split {
  const known = lately.get(text) ?? splitAnew(text)
  lately.delete(text)
  lately.set(text, known)
  if (lately.size > 50) lately.delete(lately.keys().next().value!)
  return known
}

interface Split {
  open: string
  sealed: (Context & { sealedName: string })[]
}

/** Contexts that are entered at `s,1` alone are sealed; all else stays as it is, in its order. */
function splitAnew(text: string): Split {
  const { statements } = parseDialplan(text)
  const included = new Set(statements.filter(({ word }) => word === 'include').map(({ value }) => splitArguments(value)[0]!.trim()))
  const entered = new Set(statements.filter(({ word, value }) => word === 'exten' && /^s,1,/.test(value)).map(({ context }) => context))
  const elsewhere = enteredElsewhere(text)
  const [head, ...contexts] = sections(text)
  const times = Map.groupBy(contexts, ({ name }) => name)
  const fits = ({ name }: Context) => entered.has(name) && times.get(name)!.length === 1 && !included.has(name) && !elsewhere.has(name)
    && /^[\w-]+$/.test(name) && name !== 'globals' && name !== 'general'
  const toSeal = new Map(contexts.filter(fits).map(context => [context.name, context.body]))
  const leads = new Map([...toSeal].map(([name, body]) => [name, [...new Set([...body.matchAll(entries)].map(([name]) => name))].filter(name => toSeal.has(name))]))
  const sums = new Map([...toSeal].map(([name, body]) => [name, sha256(`${name}\n${body}`)]))
  const sealedNames = new Map([...toSeal.keys()].map(name => [name, `${name}~${checksum(name, leads, sums)}`]))
  return {
    open: [head!.body, ...contexts.filter(context => !fits(context)).map(({ name, body }) => `[${name}]\n${body}`)].join(''),
    sealed: [...toSeal].map(([name, body]) => ({ name, sealedName: sealedNames.get(name)!, body: body.replace(entries, name => sealedNames.get(name) ?? name) }))
  }
}

/** Contexts that something leads to at another place than `s,1`. */
function enteredElsewhere(text: string): Set<string> {
  const jumps = text.split('\n').map(withoutComment).flatMap(line => [...line.matchAll(/(?:\(|[?:])([\w-]+),([^,()]+),([^,():]+)/g)])
  return new Set(jumps.filter(([, , exten, priority]) => exten!.trim() !== 's' || !/^1\b/.test(priority!.trim())).map(([, name]) => name!))
}

function sections(text: string): Context[] {
  const found: Context[] = [{ name: '', body: '' }]
  for (const line of text.split('\n')) {
    const [, name] = /^\[([^\]]+)\]/.exec(withoutComment(line).trim()) ?? []
    if (name !== undefined) found.push({ name, body: '' })
    else found.at(-1)!.body += `${line}\n`
  }
  return found
}

/** Over all that it leads to, too: what is sealed is a whole. */
function checksum(name: string, leads: ReadonlyMap<string, string[]>, sums: ReadonlyMap<string, string>): string {
  const reached = new Set([name])
  for (const one of reached) for (const next of leads.get(one)!) reached.add(next)
  return sha256([...reached].map(one => sums.get(one)!).sort().join()).slice(0, 8)
}

/** A context's name where an application leads to its beginning: `Goto(name,s,1`, `?name,s,1`, `:name,s,1`, Dial's `U(name^` or `U(name)`, and `Local/x@name`. */
const entries = /(?<=\b(?:Goto|Gosub)\(|[?:])[\w-]+(?=,s,1\b)|(?<=[UbBFG]\()[A-Za-z][\w-]*(?=[\^)])|(?<=\bLocal\/\w+@)[\w-]+/g
