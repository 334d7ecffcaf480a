/** Where the service may send what concerns citizens: over TLS, or to a program on this very machine. */
import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Addresses that no receiver has, but a cloud's metadata service, this machine, or nobody in particular. */
const never = new BlockList()
const neverInIpv4: [address: string, prefix: number][] = [
  ['0.0.0.0', 8], ['127.0.0.0', 8], ['169.254.0.0', 16], ['100.100.100.200', 32], ['168.63.129.16', 32], ['192.0.0.192', 32], ['224.0.0.0', 4], ['240.0.0.0', 4]
]
for (const [address, prefix] of neverInIpv4) {
  never.addSubnet(address, prefix)
  never.addSubnet(`64:ff9b::${address}`, 96 + prefix, 'ipv6')           // NAT64 (RFC 6052) leads there. It may lead to receivers, too
}
never.addSubnet('::', 96, 'ipv6')                  // `::127.0.0.1`: IPv4 in its oldest IPv6 form
never.addSubnet('64:ff9b:1::', 48, 'ipv6')         // NAT64 of one's own network: where the IPv4 address stands in it is not known
never.addSubnet('2002::', 16, 'ipv6')              // 6to4
never.addSubnet('2001::', 32, 'ipv6')              // Teredo
never.addSubnet('fe80::', 10, 'ipv6')
never.addSubnet('ff00::', 8, 'ipv6')
never.addAddress('fd00:ec2::254', 'ipv6')
never.addAddress('fd20:ce::254', 'ipv6')

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
