/** Who spends the time of a --cpu-prof: `node test/bench/profile.ts <file.cpuprofile> [ms to leave out at the start]`. Self time, by module and by function. */
import { readFile } from 'node:fs/promises'

interface Profile {
  startTime: number
  nodes: { id: number, callFrame: { functionName: string, url: string, lineNumber: number }, children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

const [file = '', skip = '5000'] = process.argv.slice(2)
const { nodes, samples, timeDeltas } = JSON.parse(await readFile(file, 'utf8')) as Profile
const byId = new Map(nodes.map(node => [node.id, node]))
const parent = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id] as const)))
const self = new Map<string, number>()
const owners = new Map<string, number>()
let [at, all] = [0, 0]

const place = (url: string) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? /(src\/.+)$/.exec(url)?.[1] ?? url
const add = (map: Map<string, number>, key: string, ms: number) => map.set(key, (map.get(key) ?? 0) + ms)

/** The nearest of our own files, or package, above a function: who asked for it. */
function owner(id: number): string {
  for (let here: number | undefined = id; here !== undefined; here = parent.get(here)) {
    const { url, functionName } = byId.get(here)!.callFrame
    if (['(idle)', '(garbage collector)', '(program)'].includes(functionName)) return functionName
    if (url && !url.startsWith('node:')) return place(url)
  }
  return '(node)'
}

for (const [index, id] of samples.entries()) {
  const ms = (timeDeltas[index] ?? 0) / 1000
  at += ms
  if (at < Number(skip)) continue
  const { functionName, url, lineNumber } = byId.get(id)!.callFrame
  if (functionName === '(idle)') continue
  all += ms
  add(self, `${functionName || '(anonymous)'}  ${place(url)}:${lineNumber + 1}`, ms)
  add(owners, owner(id), ms)
}
const show = (title: string, map: Map<string, number>, count: number) => {
  process.stdout.write(`\n${title} (of ${all.toFixed(0)} ms busy)\n`)
  for (const [key, ms] of [...map].sort(([, a], [, b]) => b - a).slice(0, count)) process.stdout.write(`${(ms / all * 100).toFixed(1).padStart(5)} %  ${ms.toFixed(0).padStart(6)} ms  ${key}\n`)
}
show('By owner', owners, 30)
show('By function', self, 40)
