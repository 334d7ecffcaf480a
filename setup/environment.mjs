// What each part that `npm start` runs gets of our own environment: the variables that it reads, and no other. The city's token and the
// gateway's secret stand there: the program that faces strangers' packets must not hold them.

/** What any program may need. */
const common = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SATUNOMOR_STATE']

/** Of the watchdog and the demo's telephones: addresses and folders. */
export const addresses = ['SATUNOMOR_SIP_ADDRESS', 'SATUNOMOR_SIP_PORT', 'SATUNOMOR_ARI_PORT', 'SATUNOMOR_AMI_PORT', 'SATUNOMOR_LOG']
export const telephones = ['SATUNOMOR_CARRIER', 'SATUNOMOR_GATEWAY', 'SATUNOMOR_GATEWAY_2']

/**
 * @param {readonly string[] | 'all'} names what a part reads; `all` is for the service, whose settings they are
 * @returns {NodeJS.ProcessEnv}
 */
export function environment(names = []) {
  if (names === 'all') return process.env
  return Object.fromEntries([...common, ...names].flatMap(name => process.env[name] === undefined ? [] : [[name, process.env[name]]]))
}
