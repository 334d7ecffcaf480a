/** How long a big city's plan takes: 60 agencies, 500 lines, 200 menus, from the text to what Asterisk would load. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { project } from '../../setup/project.mjs'
import { lint } from '../../src/dialplan/lint.ts'
import { dialledBy } from '../../src/dialplan/prepare.ts'
import { catalogue } from '../../src/dialplan/prompts.ts'
import { render } from '../../src/dialplan/render.ts'
import { loadPlan } from '../../src/plan/load.ts'
import { plainPlan } from '../parts/plain-plan.ts'

/** ms of each round. */
export interface PlanTimes { check: number, render: number, lint: number }

const count = { agencies: 60, lines: 500, menus: 200 }
export const size = `${count.agencies} agencies, ${count.lines} lines, ${count.menus} menus`

export async function planTimes(rounds: number): Promise<PlanTimes[]> {
  const folder = await mkdtemp(join(tmpdir(), 'satunomor-bench-plan-'))
  try {
    const file = join(folder, 'plan.yaml')
    await writeFile(file, bigPlan(plainPlan(await readFile(join(project, 'dialplan', 'plan.yaml'), 'utf8'))))
    await cp(join(project, 'dialplan', 'directory'), join(folder, 'directory'), { recursive: true })
    const times: PlanTimes[] = []
    for (let round = 0; round < rounds; round++) times.push(await once(file))
    return times
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function once(file: string): Promise<PlanTimes> {
  const marks = [performance.now()]
  const { prompts } = await catalogue(join(project, 'dialplan', 'prompts'))
  const { plan } = await loadPlan(file, prompts)
  marks.push(performance.now())
  const files = await render(join(project, 'dialplan', 'templates'), plan, { address: '127.0.0.1', port: 5060, ariPort: 8088, amiPort: 5038, rtp: [10000, 19999], sounds: '/sounds' })
  marks.push(performance.now())
  const findings = lint(files, dialledBy(plan))
  marks.push(performance.now())
  if (findings.length > 0) throw new Error(`the big plan has a fault: ${findings[0]!.sentence}`)
  const [begun, checked, rendered, linted] = marks as [number, number, number, number]
  return { check: checked - begun, render: rendered - checked, lint: linted - rendered }
}

/** The demo's plan with agencies and menus added: each menu leads to two agencies and to the next menu. */
function bigPlan(text: string): string {
  const agency = (n: number) => `  besar-${n}:\n    name: Besar ${n}\n    connecting: ke-petugas\n    lines:\n` + Array.from({ length: linesOf(n) }, (_, line) =>
    `      - { id: besar-${n}-${line}, trunk: gateway, number: besar-${n}-${line}, ringTime: 20 s, capacity: 1 }\n`).join('')
  const menu = (n: number) => `  menu-${n}:\n    prompt: menu-utama\n    patience: 3 s\n    tries: 2\n    keys:\n      1: besar-${n % 56}\n      2: besar-${(n + 1) % 56}\n` +
    `      3: ${n + 1 < count.menus - 1 ? `menu-${n + 1}` : 'posko'}\n    silence: posko\n`
  // The demo has one menu, four agencies and six lines.
  return text.replace('menus:\n', `menus:\n${Array.from({ length: count.menus - 1 }, (_, n) => menu(n)).join('')}`).replace('      3: wali-kota\n', '      3: wali-kota\n      4: menu-0\n')
    .replace('agencies:\n', `agencies:\n${Array.from({ length: count.agencies - 4 }, (_, n) => agency(n)).join('')}`)
}

/** 494 lines over 56 agencies. */
const linesOf = (n: number) => Math.floor(494 * (n + 1) / 56) - Math.floor(494 * n / 56)
