/** One event for one agency's own system, as it is stored until it is delivered. Times are Unix ms. */
export interface Delivery {
  /** `evt_…`: the receiver takes it once. */
  id: string
  agency: string
  /** Counted for each agency from 1, without gaps. */
  sequence: number
  /** What it is about: the same thing is told once. */
  key: string
  type: string
  /** When it happened. */
  at: number
  /** JSON. */
  data: string
  /** `dead`: it was tried often enough; somebody may have it delivered all the same. */
  state: 'waiting' | 'delivered' | 'dead'
  tries: number
  madeAt: number
  /** When it counts as forgotten by the queue. */
  dueAt: number
  endedAt: number | null
  /** Why the last try failed, without personal data. */
  why: string | null
}
