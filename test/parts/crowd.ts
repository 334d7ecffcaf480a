/**
 * Many callers at once, in a process of their own, so that they and the test do not wait for each other. It prints, as one
 * line of JSON, what became of each (`Told[]`).
 *
 *     node test/parts/crowd.ts '{"carrier":"127.0.0.2","exchange":"127.0.0.1:5060","sounds":"…","callers":200,"over":20000}'
 */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import { Softphone } from '../../demo/softphone.ts'

export interface Crowd {
  carrier: string
  exchange: string
  /** The prompts' folder. */
  sounds: string
  callers: number
  /** They come evenly within so many ms. */
  over: number
}

export interface Told {
  from: string
  /** From the INVITE until the first sound of the greeting, ms; absent where it was not heard. */
  greetedAfter?: number
  /** As the caller lived it; `lost`: none of these, and why. */
  end: 'answered' | 'abandoned' | 'sorry' | 'lost'
  why?: string
  /** Who hung up. */
  by?: 'here' | 'there'
}

/** What an agency says in these tests, whichever line it is. */
export const sentence = 'line/posko-1'
/** What callers do: press a key, or nothing (then they are led to the desk); or they change their mind in the greeting. */
const habits = ['1', '2', '3', '0', '1', '2', '', 'leaves', '2', '0'] as const
/** A citizen's talk, ms. */
const talk = 3_000

async function live(phone: Softphone, ear: Ear, exchange: string, index: number): Promise<Told> {
  const from = `+62721555${String(100 + index).padStart(4, '0')}`
  const call = phone.dial({ to: `sip:112@${exchange}`, from })
  let greetedAfter: number | undefined
  const told = (end: Told['end'], why?: string): Told =>
    ({ from, end, ...greetedAfter === undefined ? {} : { greetedAfter }, ...why === undefined ? {} : { why }, ...call.ending ? { by: call.ending.by } : {} })
  try {
    greetedAfter = (await ear.hears(call, 'sambutan', { within: 30_000 })).startedAt - call.startedAt
    const habit = habits[index % habits.length]!
    if (habit === 'leaves') {
      await call.hangUp()
      return told('abandoned')
    }
    if (habit) await call.press(habit)
    const answered = ear.hears(call, sentence, { within: 60_000 }).then(() => 'answered' as const)
    const sorry = ear.hears(call, 'maaf-akhir', { within: 60_000 }).then(() => 'sorry' as const)
    const end = await Promise.any([answered, sorry])
    if (end === 'answered') {
      await Promise.race([pause(talk), call.ended])
      const dropped = call.ending !== null
      await call.hangUp()
      return dropped ? told('lost', 'dropped while they talked') : told('answered')
    }
    await call.ended
    return told('sorry')
  } catch (error) {
    const why = error instanceof AggregateError ? error.errors.map(it => (it as Error).message).join('; ') : (error as Error).message
    await call.hangUp()
    return told('lost', why)
  }
}

if (import.meta.main) {
  const { carrier, exchange, sounds, callers, over } = JSON.parse(process.argv[2]!) as Crowd
  const ear = new Ear(new Map([...await loadPrompts(join(sounds, 'id')), ...await loadPrompts(join(sounds, 'telephones'), 'line/')]))
  const phone = await Softphone.open({ address: carrier })
  const begin = performance.now()
  const all = await Promise.all(Array.from({ length: callers }, async (_, index) => {
    await pause(begin + index * over / callers - performance.now())
    return live(phone, ear, exchange, index)
  }))
  process.stdout.write(`${JSON.stringify(all)}\n`)
  process.exit(0)
}
