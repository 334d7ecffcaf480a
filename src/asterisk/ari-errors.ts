/** What can come of a request to Asterisk besides what was asked for. */

/** Asterisk did not answer, or there is no link to it. */
export class AsteriskAway extends Error {
  override name = 'AsteriskAway'
}

/** Asterisk no longer has what we asked about: for a channel, the caller is gone. */
export class Gone extends Error {
  override name = 'Gone'
}

/** What Asterisk answered instead of doing it: the HTTP status, and its own words. */
export class Refused extends Error {
  override name = 'Refused'
  readonly status: number

  constructor(status: number, words: string) {
    super(words)
    this.status = status
  }
}

/** ARI refuses in JSON; what else comes is Asterisk's web server, without ARI behind it (yet). */
export function refusal(status: number, data: string): Refused | AsteriskAway {
  try {
    const { message, error } = JSON.parse(data) as { message?: string, error?: string }
    return new Refused(status, message ?? error ?? `HTTP ${status}`)
  } catch {
    return new AsteriskAway(`HTTP ${status} without ARI behind it`)
  }
}

/** What an error of a request (`what`) means to us. A variable that is not set is no sign that its channel is gone. */
export function meaning(error: unknown, what: string): Error {
  const text = `${what}: ${error instanceof Error ? error.message : String(error)}`
  if (error instanceof AsteriskAway) return new AsteriskAway(text)
  if (error instanceof Error && error.name === 'TimeUp') return new AsteriskAway(`${what}: no answer in time`)
  if (error instanceof Refused) {
    if (error.status === 404 && !/variable/i.test(text)) return new Gone(text)
    if (error.status === 409 && /not in (a )?stasis/i.test(text)) return new Gone(text)
  }
  return new Error(text, { cause: error })
}
