/** All channels that Asterisk has. One that it cannot put into words hides all of them from ARI: then AMI lists them. */
import { AsteriskAway } from './ari-errors.ts'
import type { AmiLink } from './ami-link.ts'
import type { AriLink } from './ari-link.ts'

/** What Asterisk says of a channel. `creationtime` is a date, by AMI only to the second. */
export interface Seen { id: string, name: string, state: string, creationtime: string }

/** @throws AsteriskAway */
export type ListChannels = () => Promise<Seen[]>

export function channelsOf(ari: Pick<AriLink, 'request'>, ami: Pick<AmiLink, 'list'>): ListChannels {
  return async () => {
    try {
      return await ari.request<Seen[]>('channels', 'list')
    } catch (error) {
      if (error instanceof AsteriskAway) throw error
      const now = Date.now()
      return (await ami.list('CoreShowChannels')).map(({ uniqueid = '', channel = '', channelstatedesc = '', duration = '' }) =>
        ({ id: uniqueid, name: channel, state: channelstatedesc, creationtime: new Date(now - milliseconds(duration)).toISOString() }))
    }
  }
}

/** `01:02:03`; 0 where it is none. */
function milliseconds(duration: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = duration.split(':').map(Number)
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 || 0
}
