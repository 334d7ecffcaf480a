/** The moments of a call at which something can break: how a real call comes to each, and what normally follows. */
import type { IncomingCall } from '../../demo/softphone.ts'
import { Citizen } from './citizen.ts'
import { accepting, type Ground } from './ground.ts'

export type MomentName = 'ringing in' | 'greeting' | 'menu' | 'choice' | 'silent gateway' | 'line rings' | 'short answer' | 'accept question' | 'answer' | 'talking' | 'hold' | 'returned' | 'hanging up'

export interface Moment {
  name: MomentName
  /** For a reader. */
  when: string
  /** Brings a call to the moment. `next` is what happens there at the instant of the strike. */
  come(ground: Ground, number: string): Promise<{ citizen: Citizen, next?: () => unknown }>
  /** Whether the service has the call in hand then. */
  inService?: true
  /** The agency that the citizen wants; bpbd if left out. */
  agency?: string
  /** What the citizen hears from then on where nothing breaks, and how many seconds after it is late. */
  follows: ('menu' | 'a human' | 'the apology')[]
  soon: number
  /** How long they go on talking after the strike, in ms. */
  talksOn?: number
}

/** The next call to a line: it rings, and what becomes of it is ours to say; those after it are answered. */
function rungAt(ground: Ground, line: string): Promise<IncomingCall> {
  return new Promise(resolve => ground.city.line(line, leg => {
    ground.city.line(line, another => ground.answers(another))
    leg.ring()
    resolve(leg)
  }))
}

async function inTheMenu(ground: Ground, number: string, key = '2') {
  const citizen = new Citizen(ground, number, key)
  await citizen.hears('menu-utama')
  return citizen
}

async function ringing(ground: Ground, number: string, { line, key } = { line: 'bpbd-1', key: '2' }) {
  const rung = rungAt(ground, line)
  const citizen = await inTheMenu(ground, number, key)
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
    name: 'silent gateway', when: 'the gateway of the agency\'s first line says nothing to what it is asked; the next line has another', agency: 'sunyi',
    follows: ['a human'], soon: 7.5,              // given up after 6 s (SIP's timers), and the next line is picked up at once
    async come(ground, number) {
      const asked = ground.silent.asked(number)
      const citizen = await inTheMenu(ground, number, '5')
      await citizen.press()
      await asked
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
    name: 'short answer', when: 'the agency\'s first line answers and hangs up at once; the next one is picked up', follows: ['a human'], soon: 2,
    async come(ground, number) {
      const { citizen, leg } = await ringing(ground, number)
      return {
        citizen, next: async () => {
          if (await leg.answer()) ground.answered.add(leg)
          await leg.hangUp()
        }
      }
    }
  },
  {
    name: 'accept question', when: 'the agency\'s line has been picked up, and hears the question; its key is pressed a second later', agency: 'ambulans',
    follows: ['a human'], soon: 3,
    async come(ground, number) {
      const { citizen, leg } = await ringing(ground, number, { line: accepting.line, key: '1' })
      await leg.answer()
      if (!await ground.isAsked(leg)) throw new Error('the agency is not asked')
      return { citizen, next: () => setTimeout(async () => { if (await leg.press(accepting.key)) await ground.speaks(leg) }, 1000) }
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
    name: 'hold', when: 'the agency has put the citizen on hold; it comes back 6 s later', follows: ['a human'], soon: 7.5,          // the watchdog has acted by then, if it acts
    async come(ground, number) {
      const citizen = await talking(ground, number)
      const leg = citizen.legs.at(-1)!
      const held = performance.now()
      await leg.hold()
      await ground.ear.hears(citizen.call, 'tetap-di-saluran', { after: held })
      return { citizen, next: () => setTimeout(() => leg.resume().catch(() => {}), 6000) }          // Asterisk may be gone
    }
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
