/**
 * The words that the schemas of the admin's files are written in (schema.ts, holidays.ts, expected.ts).
 *
 * Beside JSON Schema's own words, `expects` says in a fault's sentence what should stand there. A property with a
 * `default` may be left out. conform.ts holds a file against them; publish.ts makes JSON Schema alone of them.
 */
import { Type, type Static, type TSchema } from 'typebox'
import type { Duration } from './duration.ts'

export const name = { pattern: '^[a-z0-9-]{1,40}$', expects: 'a name of at most 40 small letters, digits and hyphens' }
export const prompt = { ...name, expects: `${name.expects}: the prompt's file name without .txt` }

/** A map whose keys are chosen by the plan's author. */
export function named<S extends TSchema>(keys: { pattern: string, expects: string }, item: S, description: string) {
  return Type.Unsafe<ReadonlyMap<string, Static<S>>>({
    type: 'object', patternProperties: { [keys.pattern]: item }, keys: keys.expects, description
  } as TSchema)
}

/** A length of time, written with its unit: `20 s`, `500 ms`, `2 min`. Milliseconds once read. The word `never`, where there is one, is 0. */
export function duration(options: { default?: string, atLeast: string, atMost: string, never?: string, description: string }) {
  return Type.Unsafe<Duration>({
    type: 'string', format: 'duration', expects: 'a time with its unit, as in "20 s", "500 ms" or "2 min"', ...options
  } as TSchema)
}

export function oneOf<const Words extends string[]>(words: Words, description: string, otherwise?: Words[number]) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: words, description, ...otherwise === undefined ? {} : { default: otherwise } } as TSchema)
}

/** What is dialled on a trunk; the checks see to it that it may be. */
export const dialled = (description: string) => Type.String({
  pattern: '^(\\+[0-9]{1,15}|[A-Za-z0-9._-]{1,40})$',
  expects: 'a telephone number, or a name of at most 40 letters, digits, dots, hyphens and underscores', description
})

/** A name that some other part of the plan must have; the checks look for it. */
export const reference = (description: string) => Type.String({ description })

/** A value that stands for the one property of an object that most have: `1: bpbd` for `1: { to: bpbd }`. */
export function either<S extends TSchema, T extends TSchema>(short: S, long: T) {
  return Type.Unsafe<Static<S> | Static<T>>({ ...long, short } as TSchema)
}

/** Another object that may stand in place of this one: the one that has this key. */
export function insteadBy<S extends TSchema, T extends TSchema>(key: string, other: S, usual: T) {
  return Type.Unsafe<Static<S> | Static<T>>({ ...usual, instead: { key, rule: other } } as TSchema)
}

/** A line for people to read. */
export const text = (description: string) =>
  Type.String({ pattern: '^[^\\p{C}]{1,80}$', expects: 'a text of 1 to 80 letters on one line', description })

/** A day that the calendar has. */
export const date = (description: string) =>
  Type.String({ format: 'date', expects: 'a date that exists, as in "2027-03-20"', description })

/** A day that the calendar has, or a time on it. */
export const dayOrTime = (description: string) =>
  Type.String({ format: 'day-or-time', expects: 'a date that exists, or a date and a time, as in "2027-03-20" or "2027-03-20 18:00"', description })

/** A time on the clock of the plan's zone; 24:00 is the day's end. */
export const time = (description: string) =>
  Type.String({ pattern: '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$', expects: 'a time of the day, as in "07:30" (24:00 at most)', description })
