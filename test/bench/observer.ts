/**
 * Sees the calls of a run pass on the loopback, beside everybody's way: a packet socket with a filter in the kernel that
 * lets through INVITEs, 200s, the ends of keys (RFC 4733) and stamped frames (pcap.ts), at the kernel's own times. Its work is
 * some 5 packets a call, and the stamped ones.
 */
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Child, until } from '../../setup/children.mjs'
import { inRoot } from '../../setup/root.mjs'
import { project } from '../../setup/project.mjs'
import { stamp } from './pcap.ts'
import { addresses, callersMedia, keyPayloadType } from './places.ts'

/** When a stamped frame passed: said by the caller, to the agency, echoed by it, back to the caller. */
export type Passing = Partial<Record<'said' | 'arrived' | 'echoed' | 'returned', number>>

/** What was seen of one caller's call: monotonic enough, in ms of the machine's clock. */
export interface Seen {
  number: string
  invite: number
  /** Asterisk's 200 to the caller. */
  answered?: number
  /** The first packet that says that the key is over. */
  key?: number
  /** The INVITE at the agency, and the agency's 200. */
  agencyInvite?: number
  agencyAnswered?: number
  /** Its stamped frames, by their index. */
  frames: Map<number, Passing>
}

/** Instructions of Linux's socket filter (BPF), on a packet that begins with its IP header. */
function filter(): string {
  const word = (text: string) => Buffer.from(text).readUInt32BE()
  const [a, b, c] = addresses.asterisk.split('.').map(Number) as [number, number, number]
  const network = ((a << 24) | (b << 16) | (c << 8)) >>> 0
  const [loadWord, loadHalf, loadByte, equals, anyBit, and, give] = [0x20, 0x28, 0x30, 0x15, 0x45, 0x54, 0x06]
  const program: [code: number, yes: number, no: number, k: number][] = [
    [loadByte, 0, 0, 9], [equals, 0, 19, 17],                       // UDP
    [loadWord, 0, 0, 0xfffff004], [equals, 17, 0, 4],               // not the copy on its way out
    [loadWord, 0, 0, 16], [and, 0, 0, 0xffffff00], [equals, 0, 14, network],
    [loadHalf, 0, 0, 24], [equals, 7, 0, 24],                       // 4 bytes on RTP: a key
    [loadWord, 0, 0, 28], [equals, 11, 0, word('INVI')], [equals, 0, 2, word('SIP/')],
    [loadWord, 0, 0, 36], [equals, 8, 7, word('200 ')],
    [loadWord, 0, 0, 40], [equals, 7, 5, word(stamp)],              // the first word on RTP
    [loadByte, 0, 0, 29], [and, 0, 0, 0x7f], [equals, 0, 2, keyPayloadType],
    [loadByte, 0, 0, 41], [anyBit, 1, 0, 0x80],                     // the end of it
    [give, 0, 0, 0], [give, 0, 0, 0xffff], [give, 0, 0, 46]         // of sound the headers and the stamp
  ]
  return Buffer.concat(program.map(([code, yes, no, k]) => {
    const instruction = Buffer.alloc(8)
    instruction.writeUInt16LE(code, 0)
    instruction.writeUInt8(yes, 2)
    instruction.writeUInt8(no, 3)
    instruction.writeUInt32LE(k, 4)
    return instruction
  })).toString('hex')
}

/** Observes until `calls` is asked for. */
export async function observe(folder: string): Promise<{ calls(): Promise<Seen[]> }> {
  const file = join(folder, 'observed.txt')
  const output = openSync(file, 'w')
  const program = inRoot({
    command: ['perl', '/srv/satunomor/observe.pl', filter(), addresses.carrier, String(callersMedia)], binds: [{ from: join(project, 'test', 'bench'), to: '/srv/satunomor', readOnly: true }]
  })
  const child = new Child('the observer', program, { output, errors: 'inherit' })
  closeSync(output)
  await until(child, async () => (await readFile(file, 'utf8')).startsWith('ready'))
  return {
    async calls() {
      await child.stop()
      return correlate(await readFile(file, 'utf8'))
    }
  }
}

/** By the caller's number; sound and keys by the ports that Asterisk has for the two legs of a call. */
function correlate(text: string): Seen[] {
  const calls = new Map<string, Seen>()
  const byPort = new Map<number, Seen>()
  const byDialog = new Map<string, Seen>()
  for (const line of text.split('\n')) {
    const [time, hex] = line.split(' ')
    if (!time || !hex) continue
    const at = Number(time) * 1000
    const packet = Buffer.from(hex, 'hex')
    const address = (offset: number) => packet.subarray(offset, offset + 4).join('.')
    const [from, to] = [address(12), address(16)]
    const call = byPort.get(packet.readUInt16BE(from === addresses.asterisk ? 20 : 22))
    if (packet.readUInt16BE(24) === 24) {
      if (call) call.key ??= at
      continue
    }
    if (packet.toString('latin1', 40, 44) === stamp) {
      if (call) note(call, packet.readUInt16BE(44), from === addresses.carrier ? 'said' : to === addresses.gateway ? 'arrived' : from === addresses.gateway ? 'echoed' : 'returned', at)
      continue
    }
    const message = packet.subarray(28).toString('latin1')
    const dialog = /^call-id: *(\S+)/im.exec(message)?.[1] ?? ''
    const port = Number(/^m=audio (\d+)/m.exec(message)?.[1])
    if (message.startsWith('INVITE')) {
      const number = /^from:[^\n]*sip:\+?([0-9]+)@/im.exec(message)?.[1] ?? ''
      if (to === addresses.asterisk && from === addresses.carrier && !calls.has(number)) {
        const call: Seen = { number, invite: at, frames: new Map() }
        calls.set(number, call)
        byDialog.set(dialog, call)
      } else if (to === addresses.gateway) {
        const call = calls.get(number)
        if (!call) continue
        call.agencyInvite ??= at
        byDialog.set(dialog, call)
        byPort.set(port, call)
      }
    } else if (/^cseq: *\d+ INVITE/im.test(message)) {
      const call = byDialog.get(dialog)
      if (!call) continue
      if (from === addresses.gateway) call.agencyAnswered ??= at
      else {
        call.answered ??= at
        byPort.set(port, call)
      }
    }
  }
  return [...calls.values()]
}

function note({ frames }: Seen, index: number, passed: keyof Passing, at: number) {
  const passing = frames.get(index) ?? {}
  passing[passed] ??= at
  frames.set(index, passing)
}
