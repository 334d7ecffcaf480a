/** Whether a time of GotoIfTime can ever be: one that cannot is a holiday that silently never comes. */

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** What is wrong with `times,weekdays,days of the month,months[,zone]`, in a sentence. */
export function timeFault(text: string): string | undefined {
  const [times = '', weekdays = '', dates = '', when = '', ...rest] = text.split(',').map(part => part.trim().toLowerCase())
  if (when === '' || rest.length > 1) return `has a time that cannot be read: "${text}"`
  const parts = [times.split('&').every(isTimes), named(weekdays, days), numbered(dates, 31), named(when, months)]
  const wrong = [times, weekdays, dates, when].find((_, at) => !parts[at])
  if (wrong !== undefined) return `has a time that never comes: "${wrong}"`
  const date = /^\d+$/.test(dates) ? Number(dates) : 0
  const month = months.indexOf(when)
  return month >= 0 && date > longest[month]! ? `has a date that never comes: ${date} ${when}` : undefined
}

const isTimes = (text: string) => text === '*' || /^([01]?\d|2[0-3]):[0-5]\d-([01]?\d|2[0-3]):[0-5]\d$/.test(text)
const named = (text: string, names: readonly string[]) => text === '*' || text.split('&').every(part => part.split('-').length <= 2 && part.split('-').every(name => names.includes(name)))
const numbered = (text: string, most: number) => text === '*' || text.split('&').every(part => part.split('-').length <= 2 && part.split('-').every(number => /^\d{1,2}$/.test(number) && Number(number) >= 1 && Number(number) <= most))
