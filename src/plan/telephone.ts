/** Which telephone numbers may be dialled. Everything that is not clearly domestic is refused: calls abroad cost. */

/** A line's number that is digits (and a +) goes out to the telephone network; anything else is an endpoint's name. */
export const looksLikeTelephone = (number: string) => /^\+?[0-9]+$/.test(number)

/** What to write instead of what may not be dialled. */
export const dialable = 'write a number of Indonesia, as in "+62721…", or the name of an endpoint'

/** The number as dialled within Indonesia: `+62721…` and `62721…` become `0721…`. */
export const domestic = (number: string) => number.replace(/^\+?62(?=[1-9])/, '0')

/** Why this may not be dialled, or undefined when it may (the allow-list of facts.md, "The city"). */
export function dialRefusal(number: string): string | undefined {
  if (/[A-Za-z]/.test(number)) return undefined
  if (!looksLikeTelephone(number)) return 'a telephone number is written in digits alone'  // carriers skip "-" and "."
  if (number.startsWith('+') && !number.startsWith('+62')) return 'it is abroad (only +62 is dialled)'
  if (number.replace('+', '').length > 15) return 'it is longer than 15 digits'
  const local = domestic(number)
  if (local.startsWith('+')) return 'it is no number of Indonesia'
  if (local.startsWith('00')) return 'it begins with a prefix for calls abroad (00, 001, 007)'
  if (local.startsWith('0809')) return 'it is a premium number (0809)'
  return undefined
}

/** Whether a caller's number (E.164) may be rung back: of Indonesia, and no service or premium number. The dialplan compares it again. */
export const mayBeRungBack = (number: string) => /^\+62([2-7]\d|8[1-9])\d{6,10}$/.test(number)
