// What each part that `npm start` runs gets of our own environment: the variables that it reads, and no other. The city's token and the
// gateway's secret stand in the settings: the program that faces strangers' packets must not hold them, and no process has them in its environment.
import { names } from './settings-lines.mjs'

/** What any program may need. */
const common = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SATUNOMOR_STATE']

/** Of the watchdog and the demo's telephones: addresses and folders. */
export const addresses = ['SATUNOMOR_SIP_ADDRESS', 'SATUNOMOR_SIP_PORT', 'SATUNOMOR_ARI_PORT', 'SATUNOMOR_AMI_PORT', 'SATUNOMOR_LOG']
export const telephones = ['SATUNOMOR_CARRIER', 'SATUNOMOR_GATEWAY', 'SATUNOMOR_GATEWAY_2']

/** Settings that let whoever knows them in. The service reads them where nobody else can look (`handedOver`). */
export const secret = ['SATUNOMOR_TOKEN', 'SATUNOMOR_METRICS_TOKEN', 'SATUNOMOR_MESSAGES_SECRET', 'DATABASE_URL', 'REDIS_URL']
/** Of the service: the other settings, and what its libraries go by (certificates, PostgreSQL's own variables). */
const ofTheService = (/** @type {string} */ name) => (names.includes(name) && !secret.includes(name)) || /^(PG|SSL_CERT_|NODE_EXTRA_CA_CERTS$|LD_LIBRARY_PATH$)/.test(name)

/**
 * @param {readonly string[] | 'all'} reads what a part reads; `all` is for the service, whose settings they are
 * @returns {NodeJS.ProcessEnv}
 */
export function environment(reads = []) {
  const wanted = reads === 'all' ? [...common, ...Object.keys(process.env).filter(ofTheService)] : [...common, ...reads]
  return Object.fromEntries(wanted.flatMap(name => process.env[name] === undefined ? [] : [[name, process.env[name]]]))
}

/** The secret settings, as the service's `handedOver` reads them. */
export const secrets = () => JSON.stringify(Object.fromEntries(secret.flatMap(name => process.env[name] ? [[name, process.env[name]]] : [])))
