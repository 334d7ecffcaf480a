/** The waiting room: its stories on the fake exchange, and whose turn it is. */
import { describe, expect, test } from 'vitest'
import { WaitingRoom } from '../../src/calls/waiting-room.ts'
import { seconds } from '../../src/plan/duration.ts'
import type { Happenings, Kind, Step } from '../../src/calls/story.ts'
import { fakeStage } from '../fakes/fake-stage.ts'
import { waitingRoom, waitingStories } from '../stories/waiting.ts'

describe('on the fake exchange', () => { waitingStories(() => fakeStage(waitingRoom)) })

describe('whose turn it is', () => {
  const step = <K extends Kind>(callId: string, kind: K, facts: Happenings[K]) => ({ callId, key: '1', at: 0, witness: 'ledger', kind, facts }) as Step
  const line = { agency: 'bpbd', line: 'bpbd-1' }
  const ended = (callId: string) => step(callId, 'ended', {})

  test('the first by the order in which they called the city, whenever they began to wait', () => {
    const room = new WaitingRoom()
    const late = room.enter('bpbd', 'satunomor-1795534728.10')
    const early = room.enter('bpbd', 'satunomor-1795534728.9')
    expect([early.first, late.first]).toEqual([true, false])
    room.heard(step('talks', 'line', line))
    room.heard(ended('talks'))
    expect([early.turn.aborted, late.turn.aborted]).toEqual([true, false])
    room.heard(step('again', 'line', line))
    room.heard(ended('again'))
    expect(late.turn.aborted).toBe(true)
  })

  test('only those who wait for that agency, and only when a line there is let go', () => {
    const room = new WaitingRoom()
    const place = room.enter('bpbd', 'c-1')
    room.heard(step('elsewhere', 'line', { agency: 'posko', line: 'posko-1' }))
    room.heard(ended('elsewhere'))
    room.heard(ended('in the menu'))
    room.heard(step('tries', 'line', line))
    for (const outcome of ['full', 'busy', 'unavailable', 'nonexistent'] as const) room.heard(step('tries', 'line-outcome', { ...line, outcome, q850: null }))
    room.heard(ended('tries'))
    expect(place.turn.aborted).toBe(false)
    room.heard(step('gives up', 'line', line))
    room.heard(step('gives up', 'line-outcome', { ...line, outcome: 'noanswer', q850: null }))
    expect(place.turn.aborted).toBe(true)
  })

  test('nobody is called by what came of their own call at the lines, nor anybody out of turn by it', () => {
    const room = new WaitingRoom()
    const [one, other] = [room.enter('bpbd', 'c-1'), room.enter('bpbd', 'c-2')]
    room.heard(step('c-1', 'line', line))
    for (const outcome of ['noanswer', 'declined', 'unavailable', 'nonexistent', 'cancelled'] as const) room.heard(step('c-1', 'line-outcome', { ...line, outcome, q850: null }))
    expect([one.turn.aborted, other.turn.aborted]).toEqual([false, false])
  })

  test('who has just been at the lines is called when a call is over, not when nobody came to another one', () => {
    const room = new WaitingRoom()
    const [tried, other] = [room.enter('bpbd', 'c-1', seconds(20)), room.enter('bpbd', 'c-2')]
    for (const outcome of ['noanswer', 'declined'] as const) room.heard(step('c-0', 'line-outcome', { ...line, outcome, q850: null }))
    expect([tried.turn.aborted, other.turn.aborted]).toEqual([false, false])
    room.heard(step('c-0', 'line', line))
    room.heard(ended('c-0'))
    expect([tried.turn.aborted, other.turn.aborted]).toEqual([true, false])
  })

  test('whose caller leaves while it rings is let go with the call', () => {
    const room = new WaitingRoom()
    const place = room.enter('bpbd', 'c-2', seconds(20))
    room.heard(step('c-1', 'line', line))
    room.heard(step('c-1', 'line-outcome', { ...line, outcome: 'cancelled', q850: 16 }))
    room.heard(ended('c-1'))
    expect(place.turn.aborted).toBe(true)
  })

  test('when one has got a line the next one tries: several may have become free at once', () => {
    const room = new WaitingRoom()
    const place = room.enter('bpbd', 'c-2')
    room.heard(step('c-1', 'connected', line))
    expect(place.turn.aborted).toBe(true)
  })

  test('a line that two agencies share becomes free for those who wait for either', () => {
    const room = new WaitingRoom(agency => agency === 'bpbd' ? ['damkar'] : agency === 'damkar' ? ['bpbd'] : [])
    const [own, other, third] = [room.enter('bpbd', 'c-3'), room.enter('damkar', 'c-2'), room.enter('posko', 'c-4')]
    room.heard(step('c-1', 'line', line))
    room.heard(ended('c-1'))
    expect([own, other, third].map(({ turn }) => turn.aborted)).toEqual([true, true, false])
  })

  test('who waits no more keeps nobody waiting', () => {
    const room = new WaitingRoom()
    const [one, other] = [room.enter('bpbd', 'c-1'), room.enter('bpbd', 'c-2')]
    expect(room.figures).toEqual([{ agency: 'bpbd', callers: 2 }])
    one[Symbol.dispose]()
    expect(other.first).toBe(true)
    other[Symbol.dispose]()
    expect(room.isWaitedFor('bpbd')).toBe(false)
    expect(room.figures).toEqual([])
  })
})
