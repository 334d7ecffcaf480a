/** The rules of `promtool check metrics` (Prometheus' promlint) that a page of ours can break, over a page in Prometheus' text format. */

export interface Family {
  type: string
  help: string
  /** The names of its labels, in all of its samples. */
  labels: Set<string>
}

/** What the page has, by name. */
export function families(page: string): Map<string, Family> {
  const found = new Map<string, Family>()
  const of = (name: string) => found.get(name) ?? found.set(name, { type: '', help: '', labels: new Set() }).get(name)!
  for (const line of page.split('\n')) {
    const [, what, about, rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? []
    if (about) of(about)[what === 'HELP' ? 'help' : 'type'] = rest
    const [, sample, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? []
    if (!sample) continue
    const base = sample.replace(/_(bucket|sum|count)$/, '')
    const family = found.has(base) && found.get(base)!.type === 'histogram' ? of(base) : of(sample)
    for (const [, label] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) family.labels.add(label!)
  }
  return found
}

const otherUnits = ['milliseconds', 'microseconds', 'nanoseconds', 'minutes', 'hours', 'days', 'weeks', 'kilobytes', 'megabytes', 'gigabytes', 'bits', 'percent']
const abbreviations = ['s', 'ms', 'us', 'ns', 'sec', 'b', 'kb', 'mb', 'gb', 'tb', 'pb', 'm', 'h', 'd']
const types = ['gauge', 'counter', 'summary', 'histogram']

/** What is wrong with it, each as `name: what`. */
export function lint(page: string): string[] {
  return [...families(page)].flatMap(([name, { type, help, labels }]) => {
    const words = name.split('_')
    const wrong = (broken: boolean, what: string) => broken ? [`${name}: ${what}`] : []
    return [
      ...wrong(help.trim() === '', 'no help'),
      ...wrong(!types.includes(type), 'no type'),
      ...wrong(type === 'counter' && !name.endsWith('_total'), 'a counter without _total'),
      ...wrong(type !== 'counter' && name.endsWith('_total'), `a ${type} with _total`),
      ...wrong(type !== 'histogram' && (name.endsWith('_bucket') || labels.has('le')), `a ${type} with _bucket or le`),
      ...wrong(!['histogram', 'summary'].includes(type) && /_(count|sum)$/.test(name), `a ${type} with _count or _sum`),
      ...wrong(type !== 'summary' && labels.has('quantile'), `a ${type} with quantile`),
      ...wrong(words.some(word => types.includes(word)), 'the type is in the name'),
      ...wrong(words.some(word => otherUnits.includes(word)), 'no base unit'),
      ...wrong(words.some(word => abbreviations.includes(word)), 'a unit is abbreviated'),
      ...wrong([name, ...labels].some(one => !/^[a-z][a-z0-9_]*$/.test(one)), 'not in snake_case')
    ]
  })
}
