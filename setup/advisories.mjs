// Holes of Asterisk's that are known, and the first versions without them, one for each line of releases. Add a line when an advisory comes.
// Sources: Asterisk's and the distributions' own advisories of these ids.

/** @type {readonly { id: string, fixed: readonly string[], what: string }[]} */
export const advisories = [
  { id: 'CVE-2026-57191', fixed: ['22.10.1'], what: 'one NOTIFY of a stranger ends all SIP until Asterisk is restarted' },
  { id: 'CVE-2026-23738', fixed: ['22.8.2', '23.2.2'], what: 'a link to Asterisk\'s page /httpstatus runs a script in an admin\'s browser' },
  { id: 'CVE-2025-47779', fixed: ['22.4.1'], what: 'somebody who may send a MESSAGE sends it in another\'s name' }
]

/** Reads `22.10.1`, `22.10.1+dfsg…`, `certified-22.8-cert1`; what has no number is older than all. @param {string} version */
const numbersIn = version => (/\d+(\.\d+)*/.exec(version)?.[0] ?? '0').split('.').map(Number)

/** Below 0 where `one` is older than `other`. @param {string} one @param {string} other */
export function compareVersions(one, other) {
  const [left, right] = [numbersIn(one), numbersIn(other)]
  for (let place = 0; place < Math.max(left.length, right.length); place++) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The advisories that a version has not mended: it is older than the mended one of its own line, or its line is older than all that are mended. @param {string} version */
export function holesOf(version) {
  return advisories.filter(({ fixed }) => {
    const own = fixed.find(one => numbersIn(one)[0] === numbersIn(version)[0])
    return own !== undefined ? compareVersions(version, own) < 0 : fixed.every(one => compareVersions(version, one) < 0)
  })
}
