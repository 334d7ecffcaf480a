// Where Asterisk's controls (ARI and AMI) listen: on the loopback, wherever SIP is.
import { isIPv4 } from 'node:net'

/**
 * Whoever connects to one of the machine's own addresses comes from that address, and the controls are for the loopback alone
 * (`permit` in manager.conf). A city at 127.x has them there, so that several fit on one machine.
 * @param {string} sip the address that SIP listens on
 */
export const controlAddress = sip => isIPv4(sip) && sip.startsWith('127.') ? sip : '127.0.0.1'
