// The lines of the settings file, and the settings that there are.

/** README.md, "The face of it", says what each does. */
export const names = ['SATUNOMOR_CITY', 'SATUNOMOR_PLAN', 'SATUNOMOR_PHONES', 'SATUNOMOR_TOKEN', 'SATUNOMOR_MESSAGES', 'SATUNOMOR_MESSAGES_URL', 'SATUNOMOR_MESSAGES_SECRET', 'DATABASE_URL',
  'SATUNOMOR_HTTP_ADDRESS', 'SATUNOMOR_HTTP_PORT', 'SATUNOMOR_HTTP_HOSTS', 'SATUNOMOR_HTTP_TRUST_PROXY', 'SATUNOMOR_METRICS_TOKEN', 'SATUNOMOR_SIP_ADDRESS', 'SATUNOMOR_SIP_PORT', 'SATUNOMOR_RTP_FIRST', 'SATUNOMOR_RTP_LAST',
  'SATUNOMOR_ARI_PORT', 'SATUNOMOR_AMI_PORT', 'SATUNOMOR_REDIS_PORT', 'REDIS_URL', 'SATUNOMOR_IDS', 'SATUNOMOR_STATE', 'SATUNOMOR_CACHE', 'SATUNOMOR_SOUNDS',
  'SATUNOMOR_MIRROR', 'SATUNOMOR_KEYRING', 'SATUNOMOR_LOG', 'SATUNOMOR_APPLY_AT_START', 'SATUNOMOR_SHED', 'SATUNOMOR_CARRIER', 'SATUNOMOR_GATEWAY', 'SATUNOMOR_GATEWAY_2', 'SATUNOMOR_CEL', 'SATUNOMOR_MAILBOX', 'SATUNOMOR_NODE_IMAGE', 'SATUNOMOR_BASE_IMAGE']

/**
 * @param {string} text @param {string} file for the faults
 * @returns {{ values: Map<string, string>, faults: string[] }} a line with a fault counts for nothing
 */
export function parseSettings(text, file) {
  /** @type {Map<string, string>} */
  const values = new Map()
  /** @type {string[]} */
  const faults = []
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim()
    const fault = (/** @type {string} */ sentence) => faults.push(`${file}:${index + 1}: ${sentence}`)
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return
    const [, name = '', rest = ''] = /^(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? []
    if (name === '') return fault('is no setting. Write NAME=value, without blanks around "=".')
    const [, quote = '', inner = ''] = /^(["'])(.*)\1$/.exec(rest) ?? []
    if (quote === '' && /^["']/.test(rest)) return fault(`${name} has a quote that does not end. Write ${name}="value".`)
    if (name === 'SATUNOMOR_SETTINGS') return fault('SATUNOMOR_SETTINGS names this file. Set it in the environment.')
    if (name.startsWith('SATUNOMOR_') && !names.includes(name)) return fault(`there is no setting ${name}. README.md has their names.`)
    values.set(name, quote === '' ? rest : inner)
  })
  return { values, faults }
}
