/**
 * The ledger's lines, as `asterisk-config/cel_custom.conf` has Asterisk write them: every field between quotes, a quote within
 * doubled. A caller's number may hold a newline, and then its line goes on after it; how a line begins (`"2","HANGUP","1795545272.663168","`)
 * can stand in no field, as every quote there is doubled. So lines are told apart by their beginnings, whatever stands between, and a
 * piece that an Asterisk left that was killed in the middle of a line harms no other.
 */

export interface CelEvent {
  type: string
  /** Unix ms. */
  at: number
  linkedId: string
  channelId: string
  channelName: string
  /** `<agency>/<line>` from the moment that a line is tried; the leg to the line inherits it, only `<agency>/` where the line rings with others. */
  account: string
  context: string
  exten: string
  number: string
  application: string
  userEvent: string
  extra: string
}

export interface CelLine {
  /** Bytes before it, and its own, as Latin-1. */
  offset: number
  text: string
  /** None where the text is no line. */
  event: CelEvent | undefined
}

const beginning = /"2","[A-Z_]+","\d+\.\d{6}","/g
const fields = 13

/**
 * What stands in a piece of the ledger (bytes, as Latin-1), in order. `end`: the bytes that are done with; what follows is a line that is
 * still being written.
 */
export function readCel(text: string): { lines: CelLine[], end: number } {
  const lines: CelLine[] = []
  const pass = (from: number, to: number) => { if (to > from) lines.push({ offset: from, text: text.slice(from, to), event: undefined }) }
  let at = 0
  for (let begins = beginningFrom(text, 0); begins < text.length;) {
    pass(at, begins)
    const next = beginningFrom(text, begins + 1)
    const line = lineAt(text, begins, next)
    if (line) lines.push({ offset: begins, ...line })
    else if (next === text.length) return { lines, end: begins }
    else pass(begins, next)
    at = line ? begins + line.text.length + 1 : next
    begins = next
  }
  const end = Math.max(at, text.lastIndexOf('\n') + 1)
  pass(at, end)
  return { lines, end }
}

/** The events alone. */
export const celEvents = (text: string) => readCel(text).lines.flatMap(({ event }) => event ? [event] : [])

function beginningFrom(text: string, from: number) {
  beginning.lastIndex = from
  return beginning.exec(text)?.index ?? text.length
}

/** The whole line that begins there, without its newline; undefined where it does not come to its end before `to`. */
function lineAt(text: string, from: number, to: number): { text: string, event: CelEvent } | undefined {
  const values: string[] = []
  let at = from
  while (values.length < fields) {
    if (text[at] !== '"') return undefined
    let close = text.indexOf('"', at + 1)
    let quotes = false
    while (text[close + 1] === '"' && close !== -1) {
      quotes = true
      close = text.indexOf('"', close + 2)
    }
    if (close === -1 || close >= to) return undefined
    const value = text.slice(at + 1, close)
    values.push(quotes ? value.replaceAll('""', '"') : value)
    if (text[close + 1] !== (values.length < fields ? ',' : '\n')) return undefined
    at = close + 2
  }
  const [, type, time, linkedId, channelId, channelName, account, context, exten, number, application, userEvent, extra] = values as string[] & { length: 13 }
  return {
    text: text.slice(from, at - 1),
    event: {
      type: type!, at: Math.round(Number(time) * 1000), linkedId: linkedId!, channelId: channelId!, channelName: channelName!, account: account!, context: context!,
      exten: decode(exten!), number: decode(number!), application: application!, userEvent: userEvent!, extra: decode(extra!)
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** What a caller sent may be no UTF-8: then its bytes are kept as Latin-1. */
function decode(bytes: string) {
  if (!/[\x80-\xff]/.test(bytes)) return bytes
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return bytes
  }
}
