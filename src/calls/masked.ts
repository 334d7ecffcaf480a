/** `+62721•••0112`: enough to recognise a number that one knows, not enough to ring it. */
export function masked(cli: string | null): string | null {
  if (cli === null) return null
  const shown = Math.max(0, Math.min(6, cli.length - 7))
  return `${cli.slice(0, shown)}•••${cli.slice(-4)}`
}
