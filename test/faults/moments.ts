/** The moments of a call at which something can break: how a real call comes to each, and what normally follows. */
import type { IncomingCall } from '../../demo/softphone.ts'
import { Citizen } from './citizen.ts'
import type { Ground } from './ground.ts'

export type MomentName = 'ringing in' | 'greeting' | 'menu' | 'choice' | 'line rings' | 'answer' | 'talking' | 'returned' | 'hanging up'

export interface Moment {
  name: MomentName
  /** For a reader. */
  when: string
  /** Brings a call to the moment. `next` is what happens there at the instant of the strike. */
  come(ground: Ground, number: string): Promise<{ citizen: Citizen, next?: () => unknown }>
  /** Whether the service has the call in hand then. */
  inService?: true
  /** What the citizen hears from then on where nothing breaks, and how many seconds after it is late. */
  follows: ('menu' | 'a human' | 'the apology')[]
  soon: number
  /** How long they go on talking after the strike, in ms. */
  talksOn?: number
}

/** The next call to BPBD's first line: it rings, and what becomes of it is ours to say; those after it are answered. */
function rungAtBpbd(ground: Ground): Promise<IncomingCall> {
  return new Promise(resolve => ground.city.line('bpbd-1', leg => {
    ground.city.line('bpbd-1', another => ground.answers(another))
    leg.ring()
    resolve(leg)
  }))
}

async function inTheMenu(ground: Ground, number: string, key = '2') {
  const citizen = new Citizen(ground, number, key)
  await citizen.hears('menu-utama')
  return citizen
}

async function ringing(ground: Ground, number: string) {
  const rung = rungAtBpbd(ground)
  const citizen = await inTheMenu(ground, number)
  await citizen.press()
  return { citizen, leg: await rung }
}

async function talking(ground: Ground, number: string) {
  const citizen = await inTheMenu(ground, number)
  await citizen.press()
  await citizen.talks()
  return citizen
}

export const moments: readonly Moment[] = [
  {
    name: 'ringing in', when: 'the call has just come in, nobody has taken it', follows: ['menu', 'a human'], soon: 2,
    async come(ground, number) {
      const citizen = new Citizen(ground, number, '2')
      await citizen.rings
      return { citizen }
    }
  },
  {
    name: 'greeting', when: 'the citizen hears the greeting', inService: true, follows: ['menu', 'a human'], soon: 4.5,
    async come(ground, number) {
      const citizen = new Citizen(ground, number, '2')
      await citizen.hears('sambutan')
      return { citizen }
    }
  },
  {
    name: 'menu', when: 'the citizen hears the menu', inService: true, follows: ['a human'], soon: 2,
    come: async (ground, number) => ({ citizen: await inTheMenu(ground, number) })
  },
  {
    name: 'choice', when: 'the service has heard the key and has just stopped the menu', follows: ['a human'], soon: 2,
    async come(ground, number) {
      const citizen = await inTheMenu(ground, number)
      const stopped = ground.wires.ari.passes('"method":"DELETE","uri":"playbacks/')
      void citizen.press()
      await stopped
      return { citizen }
    }
  },
  {
    name: 'line rings', when: 'an agency\'s line rings; it is picked up a second later', follows: ['a human'], soon: 3,
    async come(ground, number) {
      const { citizen, leg } = await ringing(ground, number)
      return { citizen, next: () => setTimeout(() => ground.answers(leg), 1000) }
    }
  },
  {
    name: 'answer', when: 'the agency is just picking up', follows: ['a human'], soon: 2,
    async come(ground, number) {
      const { citizen, leg } = await ringing(ground, number)
      return { citizen, next: () => ground.answers(leg) }
    }
  },
  {
    name: 'talking', when: 'citizen and agency talk', follows: ['a human'], soon: 2.5, talksOn: 6000,     // the watchdog has acted by then, if it acts
    come: async (ground, number) => ({ citizen: await talking(ground, number) })
  },
  {
    name: 'returned', when: 'the agency\'s only line is just refusing, so that the call comes back to the service', follows: ['the apology'], soon: 2,
    async come(ground, number) {
      const rung = new Promise<IncomingCall>(resolve => ground.city.line('hallo-1', leg => {
        ground.city.line('hallo-1', another => another.refuse(486))
        resolve(leg)
      }))
      const citizen = await inTheMenu(ground, number, '3')
      await citizen.press()
      const leg = await rung
      return { citizen, next: () => leg.refuse(486) }
    }
  },
  {
    name: 'hanging up', when: 'they have talked, and the citizen is just hanging up', follows: [], soon: 0,
    async come(ground, number) {
      const citizen = await talking(ground, number)
      return { citizen, next: () => citizen.call.hangUp() }
    }
  }
]
