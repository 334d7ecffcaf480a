/** Where the service may send what concerns citizens: over TLS, or to a program on this very machine. */
import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Addresses that no receiver has, but a cloud's metadata service, this machine, or nobody in particular. */
const never = new BlockList()
never.addSubnet('0.0.0.0', 8)
never.addSubnet('127.0.0.0', 8)
never.addSubnet('169.254.0.0', 16)
never.addAddress('100.100.100.200')
never.addSubnet('224.0.0.0', 4)
never.addSubnet('240.0.0.0', 4)
never.addSubnet('::', 127, 'ipv6')
never.addSubnet('fe80::', 10, 'ipv6')
never.addSubnet('ff00::', 8, 'ipv6')
never.addAddress('fd00:ec2::254', 'ipv6')

const has = (list: BlockList, address: string) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
const hostOf = (url: string) => new URL(url).hostname.replace(/^\[|\]$/g, '')

/** Why nothing may be sent there, in words that follow the address; undefined where it may. */
export function urlRefusal(url: string): string | undefined {
  if (!URL.canParse(url)) return 'is no address of the form https://host/path'
  const { protocol, username, password, hash } = new URL(url)
  if (username || password) return 'has a user or password in it: requests are signed instead'
  if (hash) return 'has a # in it, which is never sent'
  if (protocol === 'http:' && isOfThisMachine(url)) return undefined
  if (protocol !== 'https:') return 'is neither https:// nor http:// on this machine (127.0.0.0/8)'
  if (addressRefusal(url, hostOf(url))) return 'is an address that no receiver can have'
  return undefined
}

/** Whether the URL itself names this machine, by its address or as `localhost`. */
export const isOfThisMachine = (url: string) => hostOf(url) === 'localhost' || has(loopback, hostOf(url))

/** Why a URL's host may not be at this IP address; a name may come to mean another one at any time. Undefined where it may. */
export function addressRefusal(url: string, address: string): string | undefined {
  if (isOfThisMachine(url)) return isIP(address) === 0 || has(loopback, address) ? undefined : `${address} is not on this machine`
  return has(never, address) ? `${address} is an address that no receiver can have` : undefined
}
