/** Names of people as the API and the command line take them: nobody passes for somebody else by letters that look alike or that nobody sees. */

/** Whether two spellings are one name: `ani` is Ani. */
export const sameName = (one: string, other: string) => plain(one) === plain(other)
const plain = (name: string) => name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase()

/** Whether people may take the one for the other: `An1`, `Anì` and `Ani.` look like Ani. */
export const looksLike = (one: string, other: string) => skeleton(one) === skeleton(other)

/** Whether the history of a follow-up, or the audit, uses the name for what is no person. */
export const isReserved = (name: string) => /^(policy|citizen|callback|retention|admin|satunomor|(call|api) .*)$/.test(plain(name))

/** What is wrong with who somebody says they are, and what to do; undefined where nothing is. It may be a person, a program, or `ani@server`. */
export function whoFault(who: string): string | undefined {
  if (/[\p{Default_Ignorable_Code_Point}\p{C}]/u.test(who)) return 'has a character that nobody sees: type it anew'
  if (who.normalize('NFKC') !== who.normalize('NFC')) return 'has a letter in another form (full-width, joined): write it with plain letters'
  const scripts = scriptsOf(who)
  if (scripts.length > 1) return `mixes letters of ${scripts.join(' and ')}, which look alike: use the letters of one script`
  return undefined
}

/** The same of the name of a person with a token. */
export function nameFault(name: string): string | undefined {
  if (/^[\p{L}\p{N}][\p{L}\p{M}\p{N} .'’-]{0,59}$/u.test(name)) return whoFault(name)
  return whoFault(name) ?? 'is no name: letters, digits, spaces, . \' and -, at most 60'
}

const scripts = [
  ['Latin', /\p{Script=Latin}/u], ['Cyrillic', /\p{Script=Cyrillic}/u], ['Greek', /\p{Script=Greek}/u], ['Arabic', /\p{Script=Arabic}/u],
  ['Han', /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u], ['Javanese', /\p{Script=Javanese}/u], ['Balinese', /\p{Script=Balinese}/u]
] as const

/** The scripts of a text's letters; all that are not in the list are one more. */
function scriptsOf(text: string): string[] {
  const letters = text.match(/\p{L}/gu)?.filter(letter => !/[\p{Script=Common}\p{Script=Inherited}]/u.test(letter)) ?? []
  return [...new Set(letters.map(letter => scripts.find(([, pattern]) => pattern.test(letter))?.[0] ?? 'another script'))]
}

/** Small letters that look like the Latin ones below them: the commonest of UTS 39's table. */
const alike = new Map([...'аеорсухіѕјкмнтвԁԛԝһαοντυχικρıi1|0ɑɡ'].map((letter, at) => [letter, [...'aeopcyxlsjkmhtbdqwhaovtuxlkplllloag'][at]!]))

/** Two names with the same skeleton look alike: without marks and punctuation, without the difference of I, l and 1, or rn and m. */
function skeleton(name: string): string {
  const letters = name.normalize('NFKD').toLowerCase().replace(/[^\p{L}\p{N}|]/gu, '')
  return [...letters].map(letter => alike.get(letter) ?? letter).join('').replace(/rn/g, 'm').replace(/vv/g, 'w')
}
