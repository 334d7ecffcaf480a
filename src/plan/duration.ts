/** Lengths of time: in code `seconds(20)`, in the plan `20 s`. Always milliseconds underneath. */
export type Duration = number & { readonly unit: 'ms' }

export const milliseconds = (n: number) => n as Duration
export const seconds = (n: number) => (n * 1000) as Duration

const units = { ms: 1, s: 1000, min: 60_000, day: 86_400_000, days: 86_400_000 }

/** Reads `20 s`, `1.5 s`, `500 ms`, `2 min` or `90 days`; undefined is anything else (a number without a unit, too). */
export function parseDuration(text: string): Duration | undefined {
  const [, number, unit] = /^(\d{1,6}(?:\.\d{1,3})?) ?(ms|s|min|days?)$/.exec(text) ?? []
  return unit ? milliseconds(Math.round(Number(number) * units[unit as keyof typeof units])) : undefined
}

/** Writes a duration as the plan would: `20 s`, `500 ms`. */
export function formatDuration(duration: Duration): string {
  return duration % 1000 === 0 ? `${duration / 1000} s` : `${duration} ms`
}
