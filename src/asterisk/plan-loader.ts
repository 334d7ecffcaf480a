import type { Plan } from '../plan/plan.ts'
import type { AmiLink } from './ami-link.ts'
import type { AriLink } from './ari-link.ts'

/** Which modules read which of the rendered files. Nothing else is ever reloaded: `core reload` has deadlocked. */
const readers: Record<string, string[]> = {
  'musiconhold.conf': ['res_musiconhold.so'],
  'pjsip.conf': ['res_pjsip.so', 'res_pjsip_endpoint_identifier_ip.so'],
  'last-resort-pjsip.conf': ['res_pjsip.so'],
  'extensions.conf': ['pbx_config.so']
}

/** Has the running Asterisk load what was laid out, and asks it what it has. The right for it is ARI's; AMI only lists. */
export class PlanLoader {
  readonly #ari: Pick<AriLink, 'request'>
  readonly #ami: Pick<AmiLink, 'list'>

  constructor({ ari, ami }: { ari: Pick<AriLink, 'request'>, ami: Pick<AmiLink, 'list'> }) {
    this.#ari = ari
    this.#ami = ami
  }

  /** The dialplan comes last: what it leads to is there by then. Throws what Asterisk says, or `AsteriskAway`. */
  async reload(files: readonly string[]) {
    const modules = new Set(Object.entries(readers).flatMap(([file, modules]) => files.includes(file) ? modules : []))
    for (const moduleName of modules) await this.#ari.request('asterisk', 'reloadModule', { moduleName })
  }

  /** In what Asterisk's answers differ from a version; undefined: it has loaded that one. */
  async differs({ rendered, plan }: { rendered: string, plan: Plan }): Promise<string | undefined> {
    const loaded = await this.#global('SN_RENDERED')
    if (loaded !== rendered) return `it has loaded the files ${loaded || 'of an unknown version'}, not ${rendered}`
    const version = await this.#global('SN_PLAN')
    if (version !== plan.version) return `it has loaded the plan ${version || 'of an unknown version'}, not ${plan.version}`
    const endpoints = new Set((await this.#ami.list('PJSIPShowEndpoints')).map(({ objectname }) => objectname))
    const missing = [...plan.trunks.keys()].filter(trunk => !endpoints.has(trunk))
    return missing.length > 0 ? `it has no trunk ${missing.join(', ')}` : undefined
  }

  async #global(variable: string) {
    return (await this.#ari.request<{ value: string }>('asterisk', 'getGlobalVar', { variable })).value
  }
}
