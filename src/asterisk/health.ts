import { compareVersions, holesOf } from '../../setup/advisories.mjs'
import type { AmiLink } from './ami-link.ts'
import type { AriLink } from './ari-link.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { Trunks } from './trunks.ts'

/** 22.10.1 mended 20 advisories, remote code execution over ARI among them: nothing older takes a city's calls. */
const oldest = '22.10.1'

/** Whether a call made now would be served by the service, and what is missing where it would not. */
export class Health {
  readonly #ari: AriLink
  readonly #ami: AmiLink
  readonly #heartbeat: Heartbeat
  readonly #plan: () => string
  readonly #trunks: Pick<Trunks, 'states'>
  readonly #warnings: () => string[]
  readonly #draining = new AbortController()

  /** @param warnings what others have to say, e.g. of the store */
  constructor({ ari, ami, heartbeat, plan, trunks, warnings = () => [] }:
    { ari: AriLink, ami: AmiLink, heartbeat: Heartbeat, plan: () => string, trunks: Pick<Trunks, 'states'>, warnings?: () => string[] }) {
    this.#ari = ari
    this.#ami = ami
    this.#heartbeat = heartbeat
    this.#plan = plan
    this.#trunks = trunks
    this.#warnings = warnings
  }

  drains() { this.#draining.abort() }

  /** `warnings`: calls are served all the same, but not all that the plan promises. */
  async ready(): Promise<{ ready: boolean, missing: string[], warnings: string[] }> {
    const missing = await this.#missing()
    const down = this.#trunks.states.filter(({ up }) => up === false).map(({ name }) => `trunk ${name} is down: nobody can be rung on it (GET /api/trunks)`)
    return { ready: missing.length === 0, missing, warnings: [...down, ...this.#warnings()] }
  }

  async #missing(): Promise<string[]> {
    if (this.#draining.signal.aborted) return ['the service is draining: new calls take the fallback']
    if (!this.#ari.up) return ['the link to Asterisk over ARI: new calls take the fallback']
    const missing: string[] = []
    const { beatAt } = this.#heartbeat
    if (beatAt === undefined || performance.now() - beatAt > 3000) missing.push('a fresh heartbeat in Asterisk: new calls take the fallback')
    missing.push(...await this.#version(), ...await this.#planLoaded())
    return missing
  }

  async #version() {
    try {
      const { asteriskversion = 'unknown' } = await this.#ami.action('CoreSettings')
      return versionFault(asteriskversion)
    } catch (error) {
      return [`Asterisk's health over AMI (${(error as Error).message})`]
    }
  }

  async #planLoaded() {
    try {
      const { value } = await this.#ari.request<{ value: string }>('asterisk', 'getGlobalVar', { variable: 'SN_PLAN' })
      return value === this.#plan() ? [] : [`the service plan in Asterisk: it has loaded "${value}", the service walks ${this.#plan()}`]
    } catch (error) {
      return [`the service plan in Asterisk (${(error as Error).message})`]
    }
  }
}

/** What is wrong with a version of Asterisk, with the ids of its known holes; what has no number is too old. */
export function versionFault(version: string): string[] {
  const holes = holesOf(version)
  if (compareVersions(version, oldest) >= 0 && holes.length === 0) return []
  const ids = holes.map(({ id, what }) => `${id}: ${what}`).join('; ')
  return [`an Asterisk without known holes (${oldest} or later): this one is ${version}${ids && ` (${ids})`}. Renew it (npx satunomor root renew)`]
}
